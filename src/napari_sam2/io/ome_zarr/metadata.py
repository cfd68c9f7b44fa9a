"""OME-Zarr metadata of masklets: axes and scale, colours and properties.

Built and checked with yaozarrs' models, in OME-Zarr 0.5 (zarr v3) or, inside an image
that is still 0.4 (zarr v2), in 0.4: one hierarchy has one zarr format, and readers of
the image would not find labels of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import yaozarrs.v04
import yaozarrs.v05

from napari_sam2.interfaces import Calibration
from napari_sam2.io.axis_names import axis_letters
from napari_sam2.io.ome_zarr.planes import CHANNEL, SPACE, PlaneLayout
from napari_sam2.palette import object_rgb

MODELS: dict[str, ModuleType] = {"0.4": yaozarrs.v04, "0.5": yaozarrs.v05}
ZARR_FORMATS: dict[str, Literal[2, 3]] = {"0.4": 2, "0.5": 3}
SOURCE = "../../"
"""From ``labels/<name>`` to the image that it belongs to."""

PREFIXES = (
    *("yotta", "zetta", "exa", "peta", "tera", "giga", "mega", "kilo", "hecto"),
    *("deci", "centi", "milli", "micro", "nano", "pico", "femto", "atto"),
    *("zepto", "yocto"),
)
UNITS = {
    "space": {"meter", "angstrom", "foot", "inch", "mile", "parsec", "yard"}
    | {f"{prefix}meter" for prefix in PREFIXES},
    "time": {"second", "minute", "hour", "day"}
    | {f"{prefix}second" for prefix in PREFIXES},
}
"""The words that OME-Zarr has for units."""


@dataclass(frozen=True, slots=True)
class LabelledObject:
    """What the label image says about one of its values.

    Attributes
    ----------
    object_id
        Label value.
    name
        What people call it; may be empty.
    parent
        Id of the mother if the object was born in a division.
    first_frame, last_frame
        Where it has pixels; None until that is known, or if it never has.
    """

    object_id: int
    name: str = ""
    parent: int | None = None
    first_frame: int | None = None
    last_frame: int | None = None

    def to_property(self) -> dict[str, Any]:
        """Return the entry of ``image-label.properties``."""
        entry = {
            "label-value": self.object_id,
            "name": self.name or None,
            "parent": self.parent,
            "first-frame": self.first_frame,
            "last-frame": self.last_frame,
        }
        return {key: value for key, value in entry.items() if value is not None}

    @classmethod
    def from_property(cls, entry: dict[str, Any]) -> LabelledObject:
        """Read an entry of ``image-label.properties``."""
        return cls(
            object_id=entry["label-value"],
            name=entry.get("name", ""),
            parent=entry.get("parent"),
            first_frame=entry.get("first-frame"),
            last_frame=entry.get("last-frame"),
        )


@dataclass(frozen=True, slots=True)
class LevelGeometry:
    """Scale and translation of one resolution level, for ``(frame, y, x)``."""

    scale: tuple[float, ...]
    translation: tuple[float, ...]


def object_colour(object_id: int) -> tuple[int, int, int, int]:
    """Return the RGBA colour (0…255) of an object, as the window shows it."""
    return (*object_rgb(object_id), 255)


def ome_attributes(version: str, metadata: dict[str, Any]) -> dict[str, Any]:
    """Put OME metadata where its version wants it among a group's attributes."""
    return {"ome": metadata} if version == "0.5" else metadata


def ome_metadata(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the OME metadata among a group's attributes, of any version."""
    nested = attributes.get("ome")
    return nested if isinstance(nested, dict) else attributes


def labels_group_attributes(version: str, names: Sequence[str]) -> dict[str, Any]:
    """Return the attributes of the ``labels`` group."""
    group = MODELS[version].LabelsGroup(labels=list(names))
    return ome_attributes(version, group.model_dump())


def label_attributes(
    version: str,
    name: str,
    axes: Sequence[dict[str, str]],
    levels: Sequence[LevelGeometry],
    objects: Iterable[LabelledObject],
    *,
    has_image: bool,
) -> dict[str, Any]:
    """Return the OME attributes of a label group.

    Parameters
    ----------
    version
        ``"0.5"`` or ``"0.4"``.
    name
        Name of the label group.
    axes
        See `calibrated_axes`.
    levels
        One for each array ``0``, ``1``, … that exists.
    objects
        Label values to list, in any order.
    has_image
        Whether the group lies in an OME-Zarr image, which it then points to.
    """
    models = MODELS[version]
    listed = sorted(objects, key=lambda one: one.object_id)
    ids = [one.object_id for one in listed]
    colours = [
        models.LabelColor(label_value=one, rgba=list(object_colour(one))) for one in ids
    ]
    label = models.ImageLabel(
        version=version,
        colors=colours or None,
        properties=[models.LabelProperty(label_value=one) for one in ids] or None,
        source=models.LabelSource(image=SOURCE) if has_image else None,
    )
    image = models.LabelImage(
        multiscales=[multiscale(version, name, axes, levels)], image_label=label
    )
    metadata = image.model_dump(exclude_none=True)
    # yaozarrs checks the label values and leaves free properties out: they are ours.
    if listed:
        properties = [one.to_property() for one in listed]
        metadata["image-label"]["properties"] = properties
        for colour in metadata["image-label"]["colors"]:
            colour["label-value"] = int(colour["label-value"])
    return ome_attributes(version, metadata)


def multiscale(
    version: str,
    name: str,
    axes: Sequence[dict[str, str]],
    levels: Sequence[LevelGeometry],
) -> Any:
    """Return yaozarrs' model of a ``multiscales`` entry of arrays ``0``, ``1``."""
    models = MODELS[version]
    datasets = [
        models.Dataset(
            path=str(number), coordinateTransformations=_transformations(models, level)
        )
        for number, level in enumerate(levels)
    ]
    return models.Multiscale(name=name, axes=list(axes), datasets=datasets)


def calibrated_axes(
    calibration: Calibration, layout: PlaneLayout | None = None
) -> list[dict[str, str]]:
    """Return the ``axes`` entry of ``(frame, y, x)``, or of more dimensions."""
    layout = layout or PlaneLayout.plain(calibration.frame_axis)
    units = layout.spread(calibration.units, dict.fromkeys(layout.axes))
    return [_axis(name, unit) for name, unit in zip(layout.axes, units, strict=True)]


def read_geometry(dataset: dict[str, Any], dimensions: int) -> LevelGeometry:
    """Read where the pixels of a level lie, axis by axis.

    What is missing, of another length, or says nothing of single axes (an identity, an
    array of its own in the file) leaves step 1 and place 0.

    Parameters
    ----------
    dataset
        Its entry in ``multiscales``.
    dimensions
        How many axes the image has.
    """
    scale, translation = (1.0,) * dimensions, (0.0,) * dimensions
    for entry in dataset.get("coordinateTransformations") or ():
        values = entry.get(entry.get("type")) if isinstance(entry, dict) else None
        if not isinstance(values, list) or len(values) != dimensions:
            continue
        if entry["type"] == "scale":
            scale = tuple(map(float, values))
        elif entry["type"] == "translation":
            translation = tuple(map(float, values))
    return LevelGeometry(scale, translation)


def image_axes(entry: dict[str, Any]) -> tuple[str, ...]:
    """Return what the dimensions of an image are, whatever it calls them.

    OME-Zarr leaves their names to whoever writes them: ``T`` and ``time`` are ``t``.
    What is not known, or there twice, keeps its name.

    Parameters
    ----------
    entry
        Of ``multiscales``.
    """
    axes = entry["axes"]
    letters = axis_letters(
        [axis["name"] for axis in axes], [axis.get("type") for axis in axes]
    )
    return tuple(
        str(axes[at]["name"]) if letter in letters[:at] else letter.lower()
        for at, letter in enumerate(letters)
    )


def axis_names(attributes: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the dimensions of a label image that we described."""
    entry = ome_metadata(attributes)["multiscales"][0]
    return tuple(axis["name"] for axis in entry["axes"])


def read_calibration(
    attributes: dict[str, Any], layout: PlaneLayout | None = None
) -> Calibration:
    """Read back the calibration of a label group that `label_attributes` described."""
    entry = ome_metadata(attributes)["multiscales"][0]
    layout = layout or PlaneLayout.read(axis_names(attributes), {})
    geometry = read_geometry(entry["datasets"][0], len(layout.axes))
    scale, start = geometry.scale, geometry.translation
    at = [layout.axes.index(name) for name in (layout.frame_axis, *SPACE)]
    units = [axis.get("unit") for axis in entry["axes"]]
    frame, row, column = at
    return Calibration(
        scale=(scale[frame], scale[row], scale[column]),
        translation=(start[frame], start[row], start[column]),
        units=(units[frame], units[row], units[column]),
        frame_axis=layout.frame_axis,
    )


def read_objects(attributes: dict[str, Any]) -> list[LabelledObject]:
    """Read back the objects of a label group."""
    label = ome_metadata(attributes)["image-label"]
    return [LabelledObject.from_property(one) for one in label.get("properties") or ()]


def _axis(name: str, unit: str | None) -> dict[str, str]:
    kind = {"t": "time", CHANNEL: "channel"}.get(name, "space")
    axis = {"name": name, "type": kind}
    # A unit that OME-Zarr has no word for ("pixel", "frame") is better left out:
    # readers such as napari's fail on it.
    if unit is not None and unit in UNITS.get(kind, ()):
        axis["unit"] = unit
    return axis


def _transformations(models: ModuleType, level: LevelGeometry) -> list[Any]:
    found = [models.ScaleTransformation(scale=list(level.scale))]
    if any(level.translation):
        found.append(
            models.TranslationTransformation(translation=list(level.translation))
        )
    return found

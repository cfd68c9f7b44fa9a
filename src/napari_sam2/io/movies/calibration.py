"""What a step along an axis means in the world, from every kind of metadata."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from napari_sam2.interfaces import Calibration

_UNITS = {
    "second": ("s", "sec", "seconds"),
    "millisecond": ("ms", "msec", "milliseconds"),
    "microsecond": ("µs", "us", "microseconds"),
    "minute": ("min", "minutes"),
    "hour": ("h", "hr", "hours"),
    "day": ("d", "days"),
    "micrometer": ("µm", "um", "u00b5m", "micron", "microns", "micrometre"),
    "nanometer": ("nm", "nanometre"),
    "picometer": ("pm", "picometre"),
    "angstrom": ("å", "ångström"),
    "millimeter": ("mm", "millimetre"),
    "centimeter": ("cm", "centimetre"),
    "meter": ("m", "metre"),
    "inch": ("in", '"'),
}
_UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in (unit, *words)}

COARSEST_PIXEL_UM = 25.4e3 / 1200
"""A resolution tag of 1200 dpi or less is meant for printers, not a pixel's size."""


@dataclass(frozen=True, slots=True)
class AxisScale:
    """What a step along one axis means.

    Attributes
    ----------
    scale
        Length of one step, above 0, in ``unit``.
    unit
        UDUNITS name, or None where unknown.
    translation
        Position of index 0, in ``unit``.
    """

    scale: float = 1.0
    unit: str | None = None
    translation: float = 0.0


def unit_name(written: str | None) -> str | None:
    """Return the UDUNITS name of a unit as people write it, or None if unknown.

    >>> unit_name("µm"), unit_name("pixel")
    ('micrometer', None)
    """
    if not written:
        return None
    cleaned = (
        written.strip().replace("\\", "").replace("\N{GREEK SMALL LETTER MU}", "µ")
    )
    return _UNIT_OF.get(cleaned) or _UNIT_OF.get(cleaned.lower())


def axis_scale(
    scale: object, unit: str | None = None, translation: object = 0.0
) -> AxisScale | None:
    """Return an `AxisScale`, or None if the scale is no positive number."""
    step, start = _number(scale), _number(translation)
    if step is None or step <= 0:
        return None
    return AxisScale(step, unit_name(unit), start or 0.0)


def calibration_of(scales: Mapping[str, AxisScale], frame_axis: str) -> Calibration:
    """Collect what frames and pixels mean.

    Parameters
    ----------
    scales
        By axis letter, where known.
    frame_axis
        ``"T"``, ``"Z"`` or ``""``.
    """
    frame, row, column = (
        scales.get(letter, AxisScale()) for letter in (frame_axis or "T", "Y", "X")
    )
    return Calibration(
        scale=(frame.scale, row.scale, column.scale),
        translation=(frame.translation, row.translation, column.translation),
        units=(frame.unit, row.unit, column.unit),
        frame_axis=(frame_axis or "T").lower(),
    )


def scales_from_ome_xml(xml: str) -> dict[str, AxisScale]:
    """Read pixel sizes and time increment of the first image of an OME-XML text."""
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return {}
    pixels = root.find(".//{*}Pixels")
    if pixels is None:
        return {}
    found = {
        letter: axis_scale(
            pixels.get(f"PhysicalSize{letter}"),
            pixels.get(f"PhysicalSize{letter}Unit", "µm"),
        )
        for letter in "ZYX"
    }
    found["T"] = axis_scale(
        pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s")
    )
    return _known(found)


def scales_from_imagej(
    metadata: Mapping[str, Any], steps_per_unit: tuple[float, float] | None
) -> dict[str, AxisScale]:
    """Read ImageJ's frame interval, spacing and unit.

    Parameters
    ----------
    metadata
        ImageJ's description as a mapping.
    steps_per_unit
        ``(y, x)`` pixels per unit, from the resolution tags.
    """
    unit = metadata.get("unit")
    unit = unit if isinstance(unit, str) else None
    found = {
        "T": axis_scale(metadata.get("finterval"), metadata.get("tunit") or "s"),
        "Z": axis_scale(metadata.get("spacing"), unit),
    }
    if steps_per_unit is not None and unit_name(unit):
        per_y, per_x = steps_per_unit
        found["Y"], found["X"] = (
            axis_scale(1 / per_y, unit),
            axis_scale(1 / per_x, unit),
        )
    return _known(found)


def scales_from_resolution(
    steps_per_unit: tuple[float, float] | None, unit: str
) -> dict[str, AxisScale]:
    """Read the pixel size of a plain TIFF, if it is one of a microscope.

    Parameters
    ----------
    steps_per_unit
        ``(y, x)`` pixels per unit.
    unit
        ``"inch"`` or ``"centimeter"``; otherwise nothing is known.
    """
    micrometers = {"inch": 25.4e3, "centimeter": 1e4}.get(unit)
    if steps_per_unit is None or micrometers is None:
        return {}
    sizes = [micrometers / steps for steps in steps_per_unit]
    if max(sizes) >= COARSEST_PIXEL_UM:
        return {}
    return _known(
        {
            letter: axis_scale(size, "µm")
            for letter, size in zip("YX", sizes, strict=True)
        }
    )


def _known(scales: Mapping[str, AxisScale | None]) -> dict[str, AxisScale]:
    return {letter: scale for letter, scale in scales.items() if scale is not None}


def _number(value: object) -> float | None:
    if isinstance(value, str | int | float):
        try:
            number = float(value)
        except ValueError:
            return None
        return number if math.isfinite(number) else None
    return None

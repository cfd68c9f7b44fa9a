"""Which movies a plan means: paths, patterns, folders, plates and collections."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_sam2.batch.prompting.policies import stem_of
from napari_sam2.errors import InputError
from napari_sam2.io.movies.files.zarr_stacks import is_zarr
from napari_sam2.paths import remote_url, user_path

WILD = "*?["
METADATA = ("zarr.json", ".zattrs")


@dataclass(frozen=True, slots=True)
class FoundMovie:
    """One movie of a plan.

    Attributes
    ----------
    path
        Where it lies.
    stem
        What people call it, without a suffix; of a field, plate and well stand before.
    folder
        Where results lie by default: that of the file, or of the plate.
    plate, well, field
        Empty unless it is a field of a plate.
    """

    path: Path
    stem: str
    folder: Path
    plate: str = ""
    well: str = ""
    field: str = ""


def find_movies(text: str) -> list[FoundMovie]:
    """Return the movies that people mean by a path or a pattern, in order of name.

    A plate stands for all its fields, a bioformats2raw collection for its images, a
    folder of OME-Zarr images for these; any other path, and what lies on a server, for
    itself.

    Raises
    ------
    InputError
        If nothing is there.
    """
    path = user_path(text)
    if remote_url(path) is not None:
        return [FoundMovie(path, stem_of(path), path.parent)]
    if os.path.exists(path):  # noqa: PTH110 - a Path raises where a name is too long
        return list(_in_path(path))
    if not any(sign in text for sign in WILD):
        raise InputError(f"{text} does not exist")
    anchor = Path(path.anchor)
    try:
        matches = sorted(anchor.glob(str(path.relative_to(anchor))))
    except (ValueError, OSError, NotImplementedError) as error:
        raise InputError(f"{text}: is no pattern of files: {error}") from error
    if not matches:
        raise InputError(f"{text}: no file has a name like this")
    return [movie for match in matches for movie in _in_path(match)]


def _in_path(path: Path) -> Iterator[FoundMovie]:
    ome = _ome_metadata(path)
    if "plate" in ome:
        yield from _fields(path, ome["plate"])
    elif "bioformats2raw.layout" in ome:
        yield from _collection(path)
    elif path.is_dir() and not is_zarr(path) and (inside := _zarr_images(path)):
        for image in inside:
            yield from _in_path(image)
    else:
        yield FoundMovie(path, stem_of(path), path.parent)


def _fields(path: Path, plate: Any) -> Iterator[FoundMovie]:
    """Yield the fields of a plate, well by well."""
    try:
        wells = [str(well["path"]) for well in plate["wells"]]
        for well in wells:
            images = _ome_metadata(path / well)["well"]["images"]
            for field in (str(image["path"]) for image in images):
                stem = "_".join((stem_of(path), *well.split("/"), field))
                where = path / well / field
                names = (stem_of(path), well.replace("/", ""), field)
                yield FoundMovie(where, stem, path.parent, *names)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: its plate metadata are broken: there is no {error}; name its "
            "fields one by one"
        ) from error


def _collection(path: Path) -> Iterator[FoundMovie]:
    """Yield the images of a bioformats2raw collection, in order of their numbers."""
    listed = _ome_metadata(path / "OME").get("series")
    if listed and not isinstance(listed, list):
        raise InputError(
            f"{path}: its list of images (OME, series) is broken; name its images one "
            "by one"
        )
    names = listed or sorted(
        (one.name for one in path.iterdir() if one.name.isdecimal() and is_zarr(one)),
        key=int,
    )
    if not names:
        raise InputError(f"{path}: is a collection of images, but holds none")
    for name in names:
        stem = f"{stem_of(path)}_{name}"
        yield FoundMovie(path / str(name), stem, path.parent)


def _zarr_images(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if one.is_dir() and is_zarr(one))


def _ome_metadata(path: Path) -> Mapping[str, Any]:
    """Return what OME-Zarr says of a group; empty where there is nothing to read.

    Only looks for what a folder is: whoever opens it says what is wrong with it.
    """
    for name in METADATA:
        try:
            entries = json.loads((path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        for inner in ("attributes", "ome"):
            entries = entries.get(inner, entries) if isinstance(entries, dict) else {}
        return entries if isinstance(entries, dict) else {}
    return {}

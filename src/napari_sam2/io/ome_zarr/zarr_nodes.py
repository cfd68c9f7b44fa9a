"""Zarr groups and arrays as this package makes them.

Everything is written with zstd level 3 and a checksum; chunks that hold nothing but
the fill value stay absent, unless asked otherwise. A key (a chunk, a metadata document)
is replaced by an atomic rename, so a killed process leaves whole old or whole new ones,
and perhaps a ``*.partial`` file, which `remove_partial_files` sweeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from napari_sam2.errors import OutputError
from napari_sam2.io.storage import RESTORE

PARTIAL = ".partial"


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """Shape and storage of one array.

    Attributes
    ----------
    shape, chunks
        In elements; a chunk may be larger than the array, which may then grow.
    fill_value
        What is read where nothing was written.
    dimension_names
        One for each axis, or empty.
    has_every_chunk
        Whether chunks of the fill value are written, too: a lost one is missed then.
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.typing.DTypeLike
    fill_value: float
    dimension_names: tuple[str, ...] = ()
    has_every_chunk: bool = False


def create_array(group: zarr.Group, name: str, spec: ArraySpec) -> zarr.Array:
    """Create an array, replacing what is there, in the zarr format of its group."""
    is_v2 = group.metadata.zarr_format == 2
    compressor: Any = (
        {"id": "zstd", "level": 3, "checksum": True}
        if is_v2
        else ZstdCodec(level=3, checksum=True)
    )
    return group.create_array(
        name,
        shape=spec.shape,
        chunks=spec.chunks,
        dtype=np.dtype(spec.dtype),
        fill_value=spec.fill_value,
        compressors=compressor,
        # Format 2 would join chunk indices by dots; OME-Zarr wants folders.
        chunk_key_encoding={"name": "v2", "separator": "/"} if is_v2 else None,
        dimension_names=None if is_v2 else spec.dimension_names or None,
        overwrite=True,
        config={"write_empty_chunks": spec.has_every_chunk},
    )


def chunk_file(array: zarr.Array, place: tuple[int, ...]) -> Path:
    """Return the file of one chunk of an array in a folder."""
    root: Path = array.store.root  # type: ignore[attr-defined]
    return root / array.path / array.metadata.encode_chunk_key(place)


def node_path(group: zarr.Group, name: str = "") -> str:
    """Return where a group, or what it holds, lies: the path of a folder as usual."""
    root = getattr(group.store, "root", None)
    if isinstance(root, Path):
        return str(root / group.path / name)
    return f"{group.store_path}/{name}".rstrip("/")


def array_at(group: zarr.Group, name: str) -> zarr.Array:
    """Return an array of a group.

    Raises
    ------
    OutputError
        If there is none.
    """
    array = array_if_any(group, name)
    if array is None:
        raise OutputError(
            f"{node_path(group, name)}: the array is missing or damaged; {RESTORE}"
        )
    return array


def array_if_any(group: zarr.Group, name: str) -> zarr.Array | None:
    """Return an array of a group; None if there is none.

    Raises
    ------
    FloatingPointError
        If its fill value is no value of its type, of which numpy would only warn.
    """
    with np.errstate(over="raise", invalid="raise"):
        node = group.get(name)
    return node if isinstance(node, zarr.Array) else None


def group_at(group: zarr.Group, name: str) -> zarr.Group:
    """Return a group of a group.

    Raises
    ------
    OutputError
        If there is none.
    """
    node = group.get(name)
    if not isinstance(node, zarr.Group):
        raise OutputError(
            f"{node_path(group, name)}: the group is missing or damaged; {RESTORE}"
        )
    return node


def attributes_of(group: zarr.Group) -> dict[str, Any]:
    """Return a copy of the attributes of a group."""
    return group.attrs.asdict()


def replace_attributes(group: zarr.Group, attributes: dict[str, Any]) -> None:
    """Replace all attributes of a group by one atomic write."""
    group.attrs.put(attributes)


def is_partial(path: Path) -> bool:
    """Return whether a path is what a killed writer left of a key."""
    return path.suffix == PARTIAL and not path.is_dir()


def remove_partial_files(folder: Path) -> None:
    """Remove what killed writers left in a group of ours, and below it."""
    for path in folder.glob("**/*"):
        if is_partial(path):
            path.unlink(missing_ok=True)

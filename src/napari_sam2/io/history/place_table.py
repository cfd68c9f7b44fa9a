"""A number for each chunk of an array: what a step kept of it, 0 of what it did not.

The numbers are a zarr array of few, uncompressed chunks, whose bytes are set in place.
Objects that are added later get chunks of their own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_sam2.io.ome_zarr.zarr_nodes import PARTIAL

Place = tuple[int, ...]


class PlaceTable:
    """Numbers by place in the grid of chunks; 0 where none was set.

    Parameters
    ----------
    folder
        Of the zarr array.
    is_v3
        Whether it is of format 3, or of 2.
    dtype
        Of the numbers, little-endian.
    block
        Places of one chunk of the table.
    """

    def __init__(
        self, folder: Path, is_v3: bool, dtype: np.typing.DTypeLike, block: Place
    ) -> None:
        self.folder = folder
        self._is_v3 = is_v3
        self._dtype = np.dtype(dtype)
        self._block = block
        self._known: dict[int, np.ndarray] = {}

    def get(self, number: int, inside: Place) -> int:
        """Return the number at a place in a block."""
        values = self._values(number)
        return 0 if values is None else int(values[inside])

    def put(self, number: int, found: Mapping[Place, int]) -> None:
        """Set numbers in a block, each by writing its bytes: whole at any moment."""
        values, size = self._values(number), self._dtype.itemsize
        if values is None:
            _write_zeros(Path(self._file(number)), int(np.prod(self._block)) * size)
            values = self._known[number] = np.zeros(self._block, self._dtype)
        with open(self._file(number), "r+b") as stream:  # noqa: PTH123 - a Path costs more
            for inside, value in found.items():
                values[inside] = value
                stream.seek(int(np.ravel_multi_index(inside, self._block)) * size)
                stream.write(values[inside].tobytes())

    def places(self, number: int) -> list[list[int]]:
        """Return where in a block numbers were set."""
        values = self._values(number)
        return [] if values is None else np.argwhere(values).tolist()

    def write_metadata(self, shape: Place) -> None:
        """Make the table, or let it grow to a shape."""
        facts: dict[str, Any]
        if self._is_v3:
            order = {"name": "bytes", "configuration": {"endian": "little"}}
            facts = {
                "zarr_format": 3,
                "node_type": "array",
                "data_type": self._dtype.name,
                "chunk_grid": {
                    "name": "regular",
                    "configuration": {"chunk_shape": list(self._block)},
                },
                "codecs": [{"name": "bytes"} if self._dtype.itemsize == 1 else order],
                "attributes": {},
            }
        else:
            facts = {
                "zarr_format": 2,
                "chunks": list(self._block),
                "dtype": self._dtype.str,
                "compressor": None,
                "filters": None,
                "order": "C",
            }
        facts |= {"shape": list(shape), "fill_value": 0}
        write_flat_metadata(self.folder, facts, self._is_v3)

    def _values(self, number: int) -> np.ndarray | None:
        if number not in self._known:
            file = self._file(number)
            if not os.path.exists(file):  # noqa: PTH110 - a Path costs more
                return None
            values = np.fromfile(file, self._dtype).reshape(self._block)
            self._known[number] = values
        return self._known[number]

    def _file(self, number: int) -> str:
        # Names as text: thousands of them are made while a step is taken back.
        place = (0, number, *(0 for _ in self._block[2:]))[: len(self._block)]
        return f"{self.folder}/{flat_key(place, self._is_v3)}"


def metadata_file(is_v3: bool) -> str:
    """Return the name of the file that describes an array."""
    return "zarr.json" if is_v3 else ".zarray"


def flat_key(place: Place, is_v3: bool) -> str:
    """Return the name of a chunk of an array whose chunks lie in one folder."""
    key = ".".join(map(str, place))
    return f"c.{key}" if is_v3 else key


def write_flat_metadata(folder: Path, facts: dict[str, Any], is_v3: bool) -> None:
    """Describe an array whose chunks lie in one folder, by one rename."""
    if is_v3:
        dots = {"name": "default", "configuration": {"separator": "."}}
        facts = {**facts, "chunk_key_encoding": dots}
    else:
        facts = {**facts, "dimension_separator": "."}
    document, text = metadata_file(is_v3), json.dumps(facts)
    if folder.is_dir():
        partial = folder / f"{document}{PARTIAL}"
        partial.write_text(text, encoding="utf-8")
        partial.replace(folder / document)
        return
    # Built aside: a folder without metadata would be no zarr.
    aside = folder.with_name(folder.name + PARTIAL)
    aside.mkdir(exist_ok=True)
    (aside / document).write_text(text, encoding="utf-8")
    aside.rename(folder)


def _write_zeros(file: Path, length: int) -> None:
    partial = file.with_name(f"{file.name}{PARTIAL}")
    with partial.open("wb") as stream:
        stream.truncate(length)
    partial.replace(file)

"""Chunks that a step replaced, kept in mirrors of the arrays that they came from.

A mirror is an array with the metadata of the live one, in the group of the step, and
holds only chunks that were replaced: `<name>` as they were before the step,
`<name>-after` as the step left them (once it was undone). `<name>-touched` says which
chunks those are. A chunk that is touched and has no file was, or is, not there.

Nothing is copied: zarr replaces a chunk by a rename, so a second hard link keeps the
old bytes. Everything here may be repeated after a kill and then ends the same.
"""

# Paths are strings in the inner loops: an undo makes ten thousand of them in a second.
# ruff: noqa: PTH103, PTH105, PTH108, PTH110, PTH116, PTH120, PTH121

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from napari_sam2.io.ome_zarr.zarr_nodes import PARTIAL

Side = Literal["before", "after"]
ChunkIndex = tuple[int, ...]

RUN = "napari-sam2"
NOT_KEPT = {"history", "masks", "session", "snapshot-a", "snapshot-b"}
"""Groups of a run that an undo leaves as they are."""

SUFFIXES: dict[Side, str] = {"before": "", "after": "-after"}
TOUCHED = "-touched"


@dataclass(frozen=True, slots=True)
class ChunkKey:
    """A chunk of a live array.

    Attributes
    ----------
    array
        Path of the array below the label group, such as ``napari-sam2/logits``.
    place
        Position in the grid of chunks.
    """

    array: str
    place: ChunkIndex


def parse_chunk_key(key: str) -> ChunkKey | None:
    """Return which chunk a key below the label group stands for, if undo keeps it."""
    parts = key.split("/")
    if parts[0] == "0":
        length = 1
    elif parts[0] == RUN and len(parts) > 1 and parts[1] not in NOT_KEPT:
        length = 3 if parts[1] == "anchors" else 2
    else:
        return None
    place = parts[length:]
    if place and place[0] == "c":
        place = place[1:]
    if not place or not all(part.isdecimal() for part in place):
        return None
    return ChunkKey("/".join(parts[:length]), tuple(map(int, place)))


class KeptChunks:
    """The chunks of one step.

    Parameters
    ----------
    live
        Folder of the label group.
    step
        Folder of the step, a zarr group.
    frame_dimension
        The one of the label image along which frames run.

    Attributes
    ----------
    kept_bytes
        How much was kept by `preserve`.
    """

    def __init__(self, live: Path, step: Path, frame_dimension: int = 0) -> None:
        self._frame_dimension = frame_dimension
        self._live = live
        self._step = step
        self._mirrors: dict[str, _Mirror] = {}
        self.kept_bytes = 0

    def preserve(self, key: ChunkKey) -> None:
        """Keep a chunk as it is now, unless the step has replaced it already."""
        mirror = self._mirrors.get(key.array)
        if mirror is None:
            mirror = self._mirrors[key.array] = _Mirror(
                self._live / key.array, self._step / _mirror_name(key.array)
            )
        if not mirror.is_touched(key.place):
            self.kept_bytes += mirror.keep("before", key.place)
            mirror.touch(key.place)

    def keep_after(self) -> None:
        """Keep all chunks of the step as they are now."""
        for _, mirror in self._all():
            for place in mirror.touched():
                mirror.keep("after", place)

    def frames(self) -> tuple[int, ...]:
        """Return the frames whose labels, logits or anchors are of the step."""
        # Other arrays have many frames in a chunk.
        dimensions = {
            "0": self._frame_dimension,
            f"{RUN}/logits": 0,
            f"{RUN}/anchors/logits": 0,
        }
        found = {
            place[dimensions[array]]
            for array, mirror in self._all()
            if array in dimensions
            for place in mirror.touched()
        }
        return tuple(sorted(found))

    def restore(self, side: Side) -> None:
        """Put the chunks of one side in place."""
        for _, mirror in self._all():
            for place in mirror.touched():
                mirror.put_back(side, place)

    def byte_count(self) -> int:
        """Return how much is kept, in bytes."""
        return sum(
            file.stat().st_size for file in self._step.rglob("*") if file.is_file()
        )

    def _all(self) -> Iterator[tuple[str, _Mirror]]:
        for folder in sorted(self._step.glob(f"*{TOUCHED}")):
            name = folder.name.removesuffix(TOUCHED)
            array = _live_name(name)
            yield array, _Mirror(self._live / array, self._step / name)


class _Mirror:
    """One array of a step beside the live one."""

    def __init__(self, live: Path, kept: Path) -> None:
        self._live = live
        self._folders: dict[Side, Path] = {
            side: kept.with_name(kept.name + suffix)
            for side, suffix in SUFFIXES.items()
        }
        self._flags_folder = kept.with_name(kept.name + TOUCHED)
        self._is_v3 = (live / "zarr.json").exists()
        self._document = "zarr.json" if self._is_v3 else ".zarray"
        self._flags: dict[int, np.ndarray] = {}
        self._shape: ChunkIndex = ()
        self._block: ChunkIndex = ()
        if self._flags_folder.is_dir():
            self._shape, self._block = self._read_grid(self._flags_folder)
        else:
            self._begin()

    def is_touched(self, place: ChunkIndex) -> bool:
        number, inside = self._flag_of(place)
        flags = self._flags_at(number)
        return flags is not None and bool(flags[inside])

    def touch(self, place: ChunkIndex) -> None:
        """Set one byte of a file: whole at any moment."""
        number, inside = self._flag_of(place)
        flags, file = self._flags_at(number), self._flags_file(number)
        if flags is None:
            _write_zeros(file, int(np.prod(self._block)))
            flags = self._flags[number] = np.zeros(self._block, np.uint8)
        with file.open("r+b") as stream:
            stream.seek(int(np.ravel_multi_index(inside, self._block)))
            stream.write(b"\1")
        flags[inside] = 1

    def touched(self) -> list[ChunkIndex]:
        """Return all touched chunks."""
        found: list[ChunkIndex] = []
        width = self._block[1] if len(self._block) > 1 else 0
        for number in range(self._block_count()):
            flags = self._flags_at(number)
            if flags is not None:
                for place in np.argwhere(flags).tolist():
                    if number:
                        place[1] += number * width
                    found.append(tuple(place))
        return found

    def keep(self, side: Side, place: ChunkIndex) -> int:
        """Keep the live chunk, or that there is none; return how many bytes it has."""
        if side == "after" and not self._folders[side].is_dir():
            self._mirror_metadata(self._folders[side])
        target = self._kept_file(side, place)
        try:
            _link(self._live_file(place), target)
            return os.stat(target).st_size
        except FileNotFoundError:
            _remove(target)
            return 0

    def put_back(self, side: Side, place: ChunkIndex) -> None:
        """Make a kept chunk the live one, in one rename; or remove the live one."""
        live, kept = self._live_file(place), self._kept_file(side, place)
        partial = f"{live}.undo{PARTIAL}"
        try:
            _link(kept, partial)
        except FileNotFoundError:
            if not os.path.exists(kept):
                _remove(live)
                return
            os.makedirs(os.path.dirname(live), exist_ok=True)
            _link(kept, partial)
        os.replace(partial, live)
        # Renaming one link of a file to another of it does nothing.
        _remove(partial)

    def _begin(self) -> None:
        shape, chunks = self._read_grid(self._live)
        grid = tuple(
            max(1, -(-length // chunk))
            for length, chunk in zip(shape, chunks, strict=True)
        )
        self._mirror_metadata(self._folders["before"])
        self._shape = self._block = grid
        self._write_flags_metadata()

    def _flag_of(self, place: ChunkIndex) -> tuple[int, ChunkIndex]:
        """Return block and position of a flag; objects added later get new blocks."""
        if len(place) == 1:
            return 0, place
        number, column = divmod(place[1], self._block[1])
        if number >= self._block_count():
            self._shape = (
                self._shape[0],
                (number + 1) * self._block[1],
                *self._shape[2:],
            )
            self._mirror_metadata(self._folders["before"])
            self._write_flags_metadata()
        return number, (place[0], column, *place[2:])

    def _block_count(self) -> int:
        return self._shape[1] // self._block[1] if len(self._shape) > 1 else 1

    def _flags_at(self, number: int) -> np.ndarray | None:
        if number not in self._flags:
            file = self._flags_file(number)
            if not file.exists():
                return None
            self._flags[number] = np.fromfile(file, np.uint8).reshape(self._block)
        return self._flags[number]

    def _flags_file(self, number: int) -> Path:
        place = (0, number, *(0 for _ in self._block[2:]))[: len(self._block)]
        return self._flags_folder / self._flat_key(place)

    def _live_file(self, place: ChunkIndex) -> str:
        key = "/".join(map(str, place))
        return f"{self._live}/c/{key}" if self._is_v3 else f"{self._live}/{key}"

    def _kept_file(self, side: Side, place: ChunkIndex) -> str:
        return f"{self._folders[side]}/{self._flat_key(place)}"

    def _flat_key(self, place: ChunkIndex) -> str:
        """Return a chunk's name in a mirror: all in one folder."""
        key = ".".join(map(str, place))
        return f"c.{key}" if self._is_v3 else key

    def _mirror_metadata(self, folder: Path) -> None:
        entry = json.loads((self._live / self._document).read_text(encoding="utf-8"))
        self._write_metadata(folder, entry)

    def _write_flags_metadata(self) -> None:
        facts: dict[str, Any]
        if self._is_v3:
            grid = {"chunk_shape": list(self._block)}
            facts = {
                "zarr_format": 3,
                "node_type": "array",
                "data_type": "uint8",
                "chunk_grid": {"name": "regular", "configuration": grid},
                "codecs": [{"name": "bytes"}],
                "attributes": {},
            }
        else:
            facts = {
                "zarr_format": 2,
                "chunks": list(self._block),
                "dtype": "|u1",
                "compressor": None,
                "filters": None,
                "order": "C",
            }
        facts |= {"shape": list(self._shape), "fill_value": 0}
        self._write_metadata(self._flags_folder, facts)

    def _write_metadata(self, folder: Path, facts: dict[str, Any]) -> None:
        if self._is_v3:
            dots = {"name": "default", "configuration": {"separator": "."}}
            facts["chunk_key_encoding"] = dots
        else:
            facts["dimension_separator"] = "."
        # Built aside: a folder without metadata would be no zarr.
        target = folder if folder.is_dir() else folder.with_name(folder.name + PARTIAL)
        target.mkdir(exist_ok=True)
        partial = target / f"{self._document}{PARTIAL}"
        partial.write_text(json.dumps(facts, indent=2), encoding="utf-8")
        partial.replace(target / self._document)
        if target != folder:
            target.rename(folder)

    def _read_grid(self, folder: Path) -> tuple[ChunkIndex, ChunkIndex]:
        """Return shape and chunk shape of an array."""
        entry = json.loads((folder / self._document).read_text(encoding="utf-8"))
        chunks = (
            entry["chunk_grid"]["configuration"]["chunk_shape"]
            if self._is_v3
            else entry["chunks"]
        )
        return tuple(entry["shape"]), tuple(chunks)


def _link(source: str, target: str) -> None:
    """Give a file a second name, which may exist; copy it where that cannot be done.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        if not os.path.samefile(source, target):
            _remove(target)
            _link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        # A file system without links, or too many of them.
        partial = f"{target}.copy{PARTIAL}"
        shutil.copyfile(source, partial)
        os.replace(partial, target)


def _remove(file: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(file)


def _write_zeros(file: Path, length: int) -> None:
    partial = file.with_name(f"{file.name}{PARTIAL}")
    with partial.open("wb") as stream:
        stream.truncate(length)
    partial.replace(file)


def _mirror_name(array: str) -> str:
    return array.removeprefix(f"{RUN}/").replace("/", "-")


def _live_name(name: str) -> str:
    if name == "0":
        return name
    return f"{RUN}/{name.replace('anchors-', 'anchors/', 1)}"

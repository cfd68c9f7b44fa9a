"""Chunks that a step replaced, kept in mirrors of the arrays that they came from.

A mirror is an array with the metadata of the live one, in the group of the step, and
holds only chunks that were replaced: `<name>` as they were before the step,
`<name>-after` as the step left them (once it was undone). `<name>-touched` says which
chunks those are, and what the files are to hold, as does `<name>-after-digests`: so a
damaged step is refused before anything is put in place. A chunk that is touched and has
no file was, or is, not there.

Nothing is copied: zarr replaces a chunk by a rename, so a second hard link keeps the
old bytes. Everything here may be repeated after a kill and then ends the same.
"""

# Paths are strings in the inner loops: an undo makes ten thousand of them in a second.
# ruff: noqa: PTH103, PTH105, PTH108, PTH110, PTH116, PTH120, PTH121, PTH208

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from napari_sam2.io.history.place_table import (
    PlaceTable,
    flat_key,
    metadata_file,
    write_flat_metadata,
)
from napari_sam2.io.ome_zarr.digests import UNKNOWN, digest_of_file
from napari_sam2.io.ome_zarr.zarr_nodes import PARTIAL

Side = Literal["before", "after"]
ChunkIndex = tuple[int, ...]

RUN = "napari-sam2"
NOT_KEPT = {"history", "masks", "session", "snapshot-a", "snapshot-b"}
"""Groups of a run that an undo leaves as they are."""

SUFFIXES: dict[Side, str] = {"before": "", "after": "-after"}
TOUCHED, DIGESTS = "-touched", "-digests"
DIGEST, ONLY_TOUCHED = "<u8", ("uint8", "|u1")
"""Types of the tables; the second is that of version 0.2, which knew no digests."""
CHUNK = re.compile(r"(c\.)?\d+(\.\d+)*")
"""Names of kept chunks."""
PLACES = ("0", f"{RUN}/logits", f"{RUN}/anchors/logits")
"""Arrays of which a chunk is one frame's; others have many frames in a chunk."""


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
    """The chunks of one step: of the open one, or all of a closed one, read once.

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
            self.kept_bytes += mirror.keep("before", [key.place])

    def keep_after(self) -> None:
        """Keep all chunks of the step as they are now."""
        for mirror in self._closed.values():
            mirror.keep("after", mirror.touched)

    def frames(self) -> tuple[int, ...]:
        """Return the frames whose labels, logits or anchors are of the step."""
        return self._frames_in(self._closed)

    def frames_without_digests(self) -> tuple[int, ...]:
        """Return those of `frames` that version 0.2 kept, which knew no digests."""
        return self._frames_in(
            array for array, mirror in self._closed.items() if not mirror.has_digests
        )

    def damaged(self, side: Side) -> int:
        """Return how many chunks of one side are not what was kept, or in no list."""
        mirrors = self._closed.values()
        return sum(mirror.damaged(side) for mirror in mirrors) + self._unlisted()

    def _unlisted(self) -> int:
        """Return how many files were kept that no table lists: it is lost, or a part.

        One may have been kept, and not listed yet, when a process was killed.
        """
        count = 0
        for folder in (one for one in self._step.iterdir() if one.is_dir()):
            if folder.name.endswith((TOUCHED, DIGESTS, SUFFIXES["after"], PARTIAL)):
                continue
            mirror = self._closed.get(_live_name(folder.name))
            listed = set() if mirror is None else mirror.names()
            kept = {name for name in os.listdir(folder) if CHUNK.fullmatch(name)}
            lost = len(kept - listed)
            count += lost if mirror is None or lost > 1 else 0
        return count

    def restore(self, side: Side) -> None:
        """Put the chunks of one side in place."""
        for mirror in self._closed.values():
            for place in mirror.touched:
                mirror.put_back(side, place)

    def byte_count(self) -> int:
        """Return how much is kept, in bytes."""
        return sum(
            file.stat().st_size for file in self._step.rglob("*") if file.is_file()
        )

    def _frames_in(self, arrays: Iterable[str]) -> tuple[int, ...]:
        found = {
            place[self._frame_dimension if array == "0" else 0]
            for array in arrays
            if array in PLACES
            for place in self._closed[array].touched
        }
        return tuple(sorted(found))

    @cached_property
    def _closed(self) -> dict[str, _Mirror]:
        """By array: all mirrors of a step that takes in nothing any more."""
        mirrors = {}
        for folder in sorted(self._step.glob(f"*{TOUCHED}")):
            name = folder.name.removesuffix(TOUCHED)
            array = _live_name(name)
            mirrors[array] = _Mirror(self._live / array, self._step / name)
        return mirrors


class _Mirror:
    """One array of a step beside the live one."""

    def __init__(self, live: Path, kept: Path) -> None:
        self._live = live
        self._is_v3 = (live / metadata_file(is_v3=True)).exists()
        self._folders: dict[Side, Path] = {
            side: kept.with_name(kept.name + suffix)
            for side, suffix in SUFFIXES.items()
        }
        touched = kept.with_name(kept.name + TOUCHED)
        is_new = not touched.is_dir()
        facts = self._read_metadata(live if is_new else touched)
        self.has_digests = True
        if is_new:
            self._shape = self._block = _grid_of(facts, self._is_v3)
            write_flat_metadata(self._folders["before"], facts, self._is_v3)
        else:
            self._shape, self._block = _sizes_of(facts, self._is_v3)
            number = facts["data_type" if self._is_v3 else "dtype"]
            self.has_digests = number not in ONLY_TOUCHED
        dtype = DIGEST if self.has_digests else "u1"
        after = kept.with_name(kept.name + SUFFIXES["after"] + DIGESTS)
        self._tables: dict[Side, PlaceTable] = {
            "before": PlaceTable(touched, self._is_v3, dtype, self._block),
            "after": PlaceTable(after, self._is_v3, DIGEST, self._block),
        }
        if is_new:
            self._tables["before"].write_metadata(self._shape)

    def is_touched(self, place: ChunkIndex) -> bool:
        return bool(self._tables["before"].get(*self._flag_of(place)))

    @cached_property
    def touched(self) -> list[ChunkIndex]:
        """All touched chunks, of a step that takes in nothing any more."""
        found: list[ChunkIndex] = []
        width = self._block[1] if len(self._block) > 1 else 0
        for number in range(self._block_count()):
            for place in self._tables["before"].places(number):
                if number:
                    place[1] += number * width
                found.append(tuple(place))
        return found

    def names(self) -> set[str]:
        """Return the names of the files of all touched chunks."""
        return {flat_key(place, self._is_v3) for place in self.touched}

    def keep(self, side: Side, places: Iterable[ChunkIndex]) -> int:
        """Keep live chunks, or that there are none; return how many bytes they have."""
        table = self._tables[side]
        if side == "after" and not table.folder.is_dir():
            facts = self._read_metadata(self._live)
            write_flat_metadata(self._folders[side], facts, self._is_v3)
            table.write_metadata(self._shape)
        found: dict[int, dict[ChunkIndex, int]] = {}
        size = 0
        for place in places:
            target, is_new = self._kept_file(side, place), True
            try:
                is_new = _link(self._live_file(place), target)
                size += os.stat(target).st_size
            except FileNotFoundError:
                _remove(target)
            number, inside = self._flag_of(place)
            if is_new or table.get(number, inside) == UNKNOWN:
                found.setdefault(number, {})[inside] = digest_of_file(target)
        for number, digests in found.items():
            table.put(number, digests)
        return size

    def damaged(self, side: Side) -> int:
        """Return how many kept chunks are not what they were."""
        if side == "before" and not self.has_digests:
            return 0
        known, count = self._tables[side], 0
        for place in self.touched:
            digest, file = (
                known.get(*self._flag_of(place)),
                self._kept_file(side, place),
            )
            count += digest not in (UNKNOWN, digest_of_file(file))
        return count

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
            facts = self._read_metadata(self._live)
            write_flat_metadata(self._folders["before"], facts, self._is_v3)
            for table in self._tables.values():
                if table.folder.is_dir():
                    table.write_metadata(self._shape)
        return number, (place[0], column, *place[2:])

    def _block_count(self) -> int:
        return self._shape[1] // self._block[1] if len(self._shape) > 1 else 1

    def _live_file(self, place: ChunkIndex) -> str:
        key = "/".join(map(str, place))
        return f"{self._live}/c/{key}" if self._is_v3 else f"{self._live}/{key}"

    def _kept_file(self, side: Side, place: ChunkIndex) -> str:
        return f"{self._folders[side]}/{flat_key(place, self._is_v3)}"

    def _read_metadata(self, folder: Path) -> dict[str, Any]:
        text = (folder / metadata_file(self._is_v3)).read_text(encoding="utf-8")
        facts: dict[str, Any] = json.loads(text)
        return facts


def _sizes_of(facts: dict[str, Any], is_v3: bool) -> tuple[ChunkIndex, ChunkIndex]:
    """Return shape and chunk shape of an array."""
    chunks = (
        facts["chunk_grid"]["configuration"]["chunk_shape"]
        if is_v3
        else facts["chunks"]
    )
    return tuple(facts["shape"]), tuple(chunks)


def _grid_of(facts: dict[str, Any], is_v3: bool) -> ChunkIndex:
    """Return how many chunks an array has along each axis."""
    shape, chunks = _sizes_of(facts, is_v3)
    return tuple(
        max(1, -(-length // chunk)) for length, chunk in zip(shape, chunks, strict=True)
    )


def _link(source: str, target: str) -> bool:
    """Give a file a second name, which may exist; copy it where that cannot be done.

    Returns
    -------
    bool
        False if it has that name already.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        if os.path.samefile(source, target):
            return False
        _remove(target)
        return _link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        # A file system without links, or too many of them.
        partial = f"{target}.copy{PARTIAL}"
        shutil.copyfile(source, partial)
        os.replace(partial, target)
    return True


def _remove(file: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(file)


def _mirror_name(array: str) -> str:
    return array.removeprefix(f"{RUN}/").replace("/", "-")


def _live_name(name: str) -> str:
    if name == "0":
        return name
    return f"{RUN}/{name.replace('anchors-', 'anchors/', 1)}"

"""Anchors on disk: what a person saw, bit for bit, so that a session can replay it.

Sparse ``(T, objects, …)`` arrays with one chunk for each anchor. The object score is
written last and marks the anchor as whole; where it is NaN there is no anchor. One that
is not what its digest says is none either: it is predicted again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import zarr

from napari_sam2.interfaces import StoredAnchor
from napari_sam2.io.ome_zarr.digests import UNKNOWN, digest_of
from napari_sam2.io.ome_zarr.zarr_nodes import ArraySpec, array_at, create_array
from napari_sam2.io.storage import DAMAGED

BLOCK = 256
SCORE = "object_score"
SCORES = ("predicted_iou", SCORE)
DIGEST, POINTER = "digest", "pointer"
"""Arrays that the first anchor makes."""
TILE = "tile"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an anchor is, what its scores are, and what it is known by."""

    frame_index: int
    column: int
    object_score: float
    predicted_iou: float
    digest: int


class AnchorArrays:
    """Stored anchors of all objects.

    Parameters
    ----------
    object_ids
        Ids by column.
    """

    def __init__(self, group: zarr.Group, object_ids: Sequence[int]) -> None:
        self._group = group
        self._object_ids = object_ids
        self._arrays: dict[str, zarr.Array | None] = {}
        self._count: int | None = None

    @classmethod
    def create(
        cls,
        group: zarr.Group,
        object_ids: Sequence[int],
        shape: tuple[int, int, int, int],
        *,
        is_tiled: bool = False,
    ) -> AnchorArrays:
        """Create empty arrays for ``(T, objects, h, w)`` logits, of tiles or not.

        Those that are there are replaced, also where they cannot be read.
        """
        for name in (SCORE, DIGEST, POINTER):
            del group[name]
        create_array(group, "logits", _one_chunk_each(shape))
        if is_tiled:
            spec = replace(_scores_spec(shape[:2]), dtype=np.int32, fill_value=0)
            create_array(group, TILE, spec)
        # The first to go, the last to come: who is killed meanwhile leaves none, which
        # is told, and never arrays of which others are missing.
        for name in SCORES:
            create_array(group, name, _scores_spec(shape[:2]))
        return cls(group, object_ids)

    def write(self, anchor: StoredAnchor, column: int) -> None:
        """Store one anchor, replacing an earlier one of the same object and frame."""
        where = (anchor.frame_index, column)
        self.forget()
        score = self._array(SCORE)
        if not np.isnan(score[where]):
            score[where] = np.nan
        self._array("logits")[where] = anchor.logits
        self._pointers(len(anchor.pointer))[where] = anchor.pointer
        self._array("predicted_iou")[where] = anchor.predicted_iou
        tiles = self._array_if_any(TILE)
        if tiles is not None:
            tiles[where] = anchor.tile
        self._digests()[where] = _digest_of(anchor)
        score[where] = anchor.object_score

    def remove(self, columns: Sequence[int], frames: Collection[int]) -> None:
        """Forget the anchors of some objects on some frames."""
        self.forget()
        scores = self._array(SCORE)
        for first in sorted({frame // BLOCK * BLOCK for frame in frames}):
            block = np.array(scores[first : first + BLOCK])
            there = np.argwhere(~np.isnan(block[:, columns]))
            gone = [(row, columns[n]) for row, n in there if first + row in frames]
            for row, column in gone:
                block[row, column] = np.nan
                if self._array_if_any(DIGEST) is not None:
                    self._digests()[first + row, column] = UNKNOWN
            if gone:
                scores[first : first + BLOCK] = block

    def read(self) -> Iterator[StoredAnchor]:
        """Yield all anchors that are whole, by frame and column."""
        for place in self._places():
            anchor = self._read_one(place)
            if anchor is not None and place.digest in (UNKNOWN, _digest_of(anchor)):
                yield anchor

    def damaged(self) -> list[tuple[int, int]]:
        """Return object and frame of the anchors that are not what was written.

        As where a file of scores is missing, which would read as no anchor at all.
        Of those without a digest nobody knows.
        """
        found = []
        for place in self._places():
            if place.digest == UNKNOWN:
                continue
            anchor = self._read_one(place)
            if anchor is None or _digest_of(anchor) != place.digest:
                found.append((self._object_ids[place.column], place.frame_index))
        return found

    @property
    def count(self) -> int:
        """How many anchors have a digest."""
        if self._count is None:
            self._count = sum(place.digest != UNKNOWN for place in self._places())
        return self._count

    def forget(self) -> None:
        """Drop what is in memory: the disk says what holds."""
        self._count = None

    def distrust(self, frames: Collection[int]) -> None:
        """Say that nobody knows what the anchors of frames hold."""
        self.forget()
        digests = self._array_if_any(DIGEST)
        if digests is not None:
            for frame in frames:
                digests[frame] = UNKNOWN

    def _places(self) -> Iterator[_Place]:
        """Yield where an anchor has a score, or is known by a digest."""
        scores, predicted = self._array(SCORE), self._array("predicted_iou")
        digests = self._array_if_any(DIGEST)
        for first in range(0, scores.shape[0], BLOCK):
            rows = slice(first, first + BLOCK)
            block = np.asarray(scores[rows])
            known = np.full(block.shape, UNKNOWN, np.uint64)
            if digests is not None:
                known = np.asarray(digests[rows])
            there = np.argwhere(~np.isnan(block) | (known != UNKNOWN)).tolist()
            if not there:
                continue
            expected = np.asarray(predicted[rows])
            for row, column in there:
                values = float(block[row, column]), float(expected[row, column])
                yield _Place(first + row, column, *values, int(known[row, column]))

    def _read_one(self, place: _Place) -> StoredAnchor | None:
        """Return an anchor; None if it has no score, or a part of it is damaged."""
        if np.isnan(place.object_score):
            return None
        where = (place.frame_index, place.column)
        try:
            tiles = self._array_if_any(TILE)
            tile = 0 if tiles is None else tiles[where]
            return StoredAnchor(
                object_id=self._object_ids[place.column],
                frame_index=place.frame_index,
                logits=np.asarray(self._array("logits")[where]),
                pointer=np.asarray(self._array(POINTER)[where]),
                object_score=place.object_score,
                predicted_iou=place.predicted_iou,
                tile=int(np.asarray(tile)),
            )
        except DAMAGED:
            return None

    def resize(self, object_ids: Sequence[int]) -> None:
        """Make room for more objects."""
        self._object_ids = object_ids
        for name in (*SCORES, "logits", POINTER, DIGEST, TILE):
            array = self._array_if_any(name)
            if array is not None:
                array.resize((array.shape[0], len(object_ids), *array.shape[2:]))

    def _array(self, name: str) -> zarr.Array:
        """Return an array, which is opened once: opening takes longer than reading."""
        array = self._arrays.get(name)
        if array is None:
            array = self._arrays[name] = array_at(self._group, name)
        return array

    def _array_if_any(self, name: str) -> zarr.Array | None:
        """Return one that may not be there; that, too, is looked up once."""
        if name not in self._arrays:
            is_there = name in self._group
            self._arrays[name] = array_at(self._group, name) if is_there else None
        return self._arrays[name]

    def _digests(self) -> zarr.Array:
        spec = _scores_spec(self._array(SCORE).shape)
        return self._made(DIGEST, replace(spec, dtype=np.uint64, fill_value=UNKNOWN))

    def _pointers(self, length: int) -> zarr.Array:
        shape = (*self._array(SCORE).shape, length)
        return self._made(POINTER, _one_chunk_each(shape))

    def _made(self, name: str, spec: ArraySpec) -> zarr.Array:
        """Return an array that the first anchor makes."""
        array = self._array_if_any(name)
        if array is None:
            array = self._arrays[name] = create_array(self._group, name, spec)
        return array


def _digest_of(anchor: StoredAnchor) -> int:
    scores = (anchor.object_score, anchor.predicted_iou)
    tile = [anchor.tile] if anchor.tile else []  # left out as in stores from before
    return digest_of(
        np.asarray((anchor.object_id, anchor.frame_index), "<i8").tobytes()
        + np.ascontiguousarray(anchor.logits, "<f4").tobytes()
        + np.ascontiguousarray(anchor.pointer, "<f4").tobytes()
        + np.asarray(scores, "<f4").tobytes()
        + np.asarray(tile, "<i8").tobytes()
    )


def _scores_spec(shape: tuple[int, ...]) -> ArraySpec:
    return ArraySpec(
        shape=shape,
        chunks=(BLOCK, BLOCK),
        dtype=np.float32,
        fill_value=float("nan"),
        dimension_names=("frame", "object"),
    )


def _one_chunk_each(shape: tuple[int, ...]) -> ArraySpec:
    return ArraySpec(
        shape=shape, chunks=(1, 1, *shape[2:]), dtype=np.float32, fill_value=0.0
    )

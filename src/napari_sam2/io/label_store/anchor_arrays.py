"""Anchors on disk: what a person saw, bit for bit, so that a session can replay it.

Sparse ``(T, objects, …)`` arrays with one chunk for each anchor. The object score is
written last and marks the anchor as whole; where it is NaN there is no anchor. One that
is not what its digest says is none either: it is predicted again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np
import zarr

from napari_sam2.interfaces import StoredAnchor
from napari_sam2.io.ome_zarr.digests import UNKNOWN, digest_of
from napari_sam2.io.ome_zarr.zarr_nodes import ArraySpec, array_at, create_array

BLOCK = 256
SCORES = ("predicted_iou", "object_score")
DIGEST = "digest"
TILE = "tile"


class AnchorArrays:
    """Stored anchors of all objects.

    Parameters
    ----------
    group
        Group of the anchors.
    object_ids
        Ids by column.
    """

    def __init__(self, group: zarr.Group, object_ids: Sequence[int]) -> None:
        self._group = group
        self._object_ids = object_ids
        self._arrays: dict[str, zarr.Array] = {}

    @classmethod
    def create(
        cls,
        group: zarr.Group,
        object_ids: Sequence[int],
        shape: tuple[int, int, int, int],
        *,
        is_tiled: bool = False,
    ) -> AnchorArrays:
        """Create empty arrays for ``(T, objects, h, w)`` logits, of tiles or not."""
        for name in SCORES:
            create_array(group, name, _scores_spec(shape[:2]))
        create_array(group, "logits", _one_chunk_each(shape))
        if is_tiled:
            spec = replace(_scores_spec(shape[:2]), dtype=np.int32, fill_value=0)
            create_array(group, TILE, spec)
        return cls(group, object_ids)

    def write(self, anchor: StoredAnchor, column: int) -> None:
        """Store one anchor, replacing an earlier one of the same object and frame."""
        where = (anchor.frame_index, column)
        score = self._array("object_score")
        score[where] = np.nan
        self._array("logits")[where] = anchor.logits
        self._pointers(len(anchor.pointer))[where] = anchor.pointer
        self._array("predicted_iou")[where] = anchor.predicted_iou
        if TILE in self._group:
            self._array(TILE)[where] = anchor.tile
        self._digests()[where] = _digest_of(anchor)
        score[where] = anchor.object_score

    def remove(self, columns: Sequence[int], frames: Collection[int]) -> None:
        """Forget the anchors of some objects on some frames."""
        scores = self._array("object_score")
        for first in sorted({frame // BLOCK * BLOCK for frame in frames}):
            block = np.array(scores[first : first + BLOCK])
            there = np.argwhere(~np.isnan(block[:, columns]))
            gone = [(row, columns[n]) for row, n in there if first + row in frames]
            for row, column in gone:
                block[row, column] = np.nan
                if DIGEST in self._group:
                    self._digests()[first + row, column] = UNKNOWN
            if gone:
                scores[first : first + BLOCK] = block

    def read(self) -> Iterator[StoredAnchor]:
        """Yield all anchors that are whole, by frame and column."""
        for anchor, is_whole in self._read_all():
            if is_whole:
                yield anchor

    def damaged(self) -> list[tuple[int, int]]:
        """Return object and frame of the anchors that are not what was written."""
        found = [
            (anchor.object_id, anchor.frame_index)
            for anchor, is_whole in self._read_all()
            if not is_whole
        ]
        return found + self._lost()

    def _lost(self) -> list[tuple[int, int]]:
        """Return object and frame of anchors of which a digest is left, and no score.

        As where a file of scores is missing, which would read as no anchor at all.
        """
        if DIGEST not in self._group:
            return []
        scores, found = self._array("object_score"), list[tuple[int, int]]()
        for first in range(0, scores.shape[0], BLOCK):
            known = np.asarray(self._digests()[first : first + BLOCK]) != UNKNOWN
            if known.any():
                block = np.asarray(scores[first : first + BLOCK])
                places = np.argwhere(known & np.isnan(block)).tolist()
                found += [
                    (self._object_ids[column], first + row) for row, column in places
                ]
        return found

    def distrust(self, frames: Collection[int]) -> None:
        """Say that nobody knows what the anchors of frames hold."""
        for frame in frames if DIGEST in self._group else ():
            self._digests()[frame] = UNKNOWN

    def _read_all(self) -> Iterator[tuple[StoredAnchor, bool]]:
        """Yield all anchors, and whether they are what was written."""
        scores, predicted = self._array("object_score"), self._array("predicted_iou")
        digests = self._digests() if DIGEST in self._group else None
        for first in range(0, scores.shape[0], BLOCK):
            block = np.asarray(scores[first : first + BLOCK])
            there = np.argwhere(~np.isnan(block)).tolist()
            if not there:
                continue
            expected = np.asarray(predicted[first : first + BLOCK])
            known = (
                None if digests is None else np.asarray(digests[first : first + BLOCK])
            )
            for row, column in there:
                where = (first + row, column)
                tile = self._array(TILE)[where] if TILE in self._group else 0
                anchor = StoredAnchor(
                    object_id=self._object_ids[column],
                    frame_index=first + row,
                    logits=np.asarray(self._array("logits")[where]),
                    pointer=np.asarray(self._array("pointer")[where]),
                    object_score=float(block[row, column]),
                    predicted_iou=float(expected[row, column]),
                    tile=int(np.asarray(tile)),
                )
                digest = UNKNOWN if known is None else int(known[row, column])
                yield anchor, digest in (UNKNOWN, _digest_of(anchor))

    def resize(self, object_ids: Sequence[int]) -> None:
        """Make room for more objects."""
        self._object_ids = object_ids
        for name, _ in self._group.arrays():
            array = self._array(name)
            array.resize((array.shape[0], len(object_ids), *array.shape[2:]))

    def _array(self, name: str) -> zarr.Array:
        """Return an array, which is opened once: opening takes longer than reading."""
        if name not in self._arrays:
            self._arrays[name] = array_at(self._group, name)
        return self._arrays[name]

    def _digests(self) -> zarr.Array:
        if DIGEST not in self._group:
            spec = _scores_spec(self._array("object_score").shape)
            create_array(
                self._group, DIGEST, replace(spec, dtype=np.uint64, fill_value=UNKNOWN)
            )
        return self._array(DIGEST)

    def _pointers(self, length: int) -> zarr.Array:
        if "pointer" not in self._group:
            shape = (*self._array("object_score").shape, length)
            return create_array(self._group, "pointer", _one_chunk_each(shape))
        return self._array("pointer")


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

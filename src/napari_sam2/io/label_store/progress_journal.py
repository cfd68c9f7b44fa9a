"""How far a run has come, on disk: always true, whenever the process is killed.

`ProgressJournal.record` writes the memory bank's snapshot into the slot that is not
in use, then replaces the progress attribute (one atomic rename), then removes the old
slot. So the attribute names a whole snapshot at every moment.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import zarr

from napari_sam2.interfaces import Arrays, Progress
from napari_sam2.io.ome_zarr.zarr_nodes import (
    ArraySpec,
    array_at,
    attributes_of,
    create_array,
    group_at,
    replace_attributes,
)

SLOTS = ("snapshot-a", "snapshot-b")
WHOLE = "whole_frames"


class ProgressJournal:
    """The progress attribute of a group and its two snapshot slots."""

    def __init__(self, group: zarr.Group) -> None:
        self._group = group

    @property
    def is_complete(self) -> bool:
        """Whether the run was finished."""
        return bool(attributes_of(self._group).get("complete", False))

    def record(self, progress: Progress, snapshot: Arrays | None) -> None:
        """Make progress and snapshot the ones that `read` returns."""
        old = self._slot_in_use()
        slot = SLOTS[1] if old == SLOTS[0] else SLOTS[0]
        if snapshot is not None:
            _write_snapshot(self._group, slot, snapshot)
        entry = {
            "stage": progress.walk,
            "next_frame": progress.next_frame,
            "plan_key": progress.plan_key,
            "snapshot": slot if snapshot is not None else None,
        }
        self._put(complete=False, progress=entry)
        self._remove(old)

    def read(self) -> tuple[Progress, Arrays] | None:
        """Return what was last recorded; None before that and after `close`."""
        entry = attributes_of(self._group).get("progress")
        if entry is None:
            return None
        progress = Progress(entry["stage"], entry["next_frame"], entry["plan_key"])
        slot = entry["snapshot"]
        return progress, _read_snapshot(self._group, slot) if slot else {}

    def close(self) -> None:
        """Mark the run complete and forget how it got there."""
        self._put(complete=True)
        self.sweep()

    def reopen(self) -> None:
        """Mark a complete run as being changed again."""
        self._put(complete=False)

    def forget(self) -> None:
        """Say that nothing may be resumed: the masklets were changed otherwise."""
        if "progress" in attributes_of(self._group):
            self._put(complete=False)
            self.sweep()

    def sweep(self) -> None:
        """Remove snapshots that nothing refers to."""
        used = self._slot_in_use()
        for slot in SLOTS:
            if slot != used:
                self._remove(slot)

    def _slot_in_use(self) -> str | None:
        entry = attributes_of(self._group).get("progress")
        return None if entry is None else entry["snapshot"]

    def _put(self, *, complete: bool, **progress: object) -> None:
        kept = {
            key: value
            for key, value in attributes_of(self._group).items()
            if key not in ("complete", "progress")
        }
        replace_attributes(self._group, {**kept, "complete": complete, **progress})

    def _remove(self, slot: str | None) -> None:
        if slot is not None:
            # Also what a killed process removed half of, which is no group any more.
            del self._group[slot]


class WholeFrames:
    """Which frames are whole on disk: labels, logits and scores fit together.

    A frame that is written again is taken out before the first byte changes, and
    comes back with `mark`.
    """

    def __init__(self, array: zarr.Array) -> None:
        self._array = array
        self.forget()

    @classmethod
    def create(cls, group: zarr.Group, frame_count: int) -> WholeFrames:
        """Create the array, with no frame whole."""
        spec = ArraySpec(
            shape=(frame_count,),
            chunks=(frame_count,),
            dtype=np.uint8,
            fill_value=0,
            dimension_names=("frame",),
        )
        return cls(create_array(group, WHOLE, spec))

    @classmethod
    def open(cls, group: zarr.Group) -> WholeFrames:
        """Open the array of a group."""
        return cls(array_at(group, WHOLE))

    def read(self) -> np.ndarray:
        """Return ``(T,)`` bool."""
        return self._is_whole.copy()

    def forget(self) -> None:
        """Drop what is in memory: the disk says what holds."""
        self._is_whole = np.asarray(self._array[:]).astype(bool)  # (T,)
        self._pending: set[int] = set()

    def begin(self, frame_index: int) -> None:
        """Say that a frame is about to change."""
        if self._is_whole[frame_index]:
            self._is_whole[frame_index] = False
            self._array[frame_index] = 0
        self._pending.add(frame_index)

    def mark(self) -> None:
        """Say that all changed frames are whole again."""
        if self._pending:
            changed = sorted(self._pending)
            self._is_whole[changed] = True
            span = slice(changed[0], changed[-1] + 1)
            self._array[span] = self._is_whole[span].astype(np.uint8)
            self._pending.clear()


def _write_snapshot(group: zarr.Group, slot: str, snapshot: Arrays) -> None:
    # Numbered arrays, because a name may hold what a zarr key may not.
    names = sorted(snapshot)
    target = group.create_group(slot, attributes={"names": names}, overwrite=True)
    for number, name in enumerate(names):
        values = np.ascontiguousarray(snapshot[name]).reshape(snapshot[name].shape)
        array = target.create_array(
            str(number),
            shape=values.shape,
            chunks=_whole_shape(values.shape),
            dtype=values.dtype,
            # Activations are seldom zero and hardly compress: not looking is faster.
            compressors=None,
            config={"write_empty_chunks": True},
        )
        array[...] = values


def _read_snapshot(group: zarr.Group, slot: str) -> Arrays:
    stored = group_at(group, slot)
    names: Sequence[str] = attributes_of(stored)["names"]
    return {
        name: np.asarray(array_at(stored, str(number))[...])
        for number, name in enumerate(names)
    }


def _whole_shape(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(max(1, length) for length in shape)

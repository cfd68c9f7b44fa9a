"""How far a run has come, on disk: always true, whenever the process is killed.

`ProgressJournal.record` writes the memory bank's snapshot into the slot that the last
commit does not use, then replaces the progress attribute (one atomic rename). So the
attribute names a whole snapshot at every moment. What the commit before had recorded
stays, with its slot: there a run goes on whose last state is damaged.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_sam2.errors import OutputError
from napari_sam2.interfaces import Arrays, Progress
from napari_sam2.io.ome_zarr.digests import digest_of_arrays
from napari_sam2.io.ome_zarr.zarr_nodes import (
    ArraySpec,
    array_at,
    attributes_of,
    create_array,
    group_at,
    node_path,
    replace_attributes,
)
from napari_sam2.io.storage import DAMAGED

SLOTS = ("snapshot-a", "snapshot-b")
PROGRESS, EARLIER = "progress", "earlier_progress"
WHOLE = "whole_frames"
IS_WHOLE, WAS_WHOLE = 1, 2
MERGE = "merge"
"""Provenance of the run that is about to add to masklets that were finished."""


class ProgressJournal:
    """The progress attribute of a group and its two snapshot slots."""

    def __init__(self, group: zarr.Group) -> None:
        self._group = group

    @property
    def is_complete(self) -> bool:
        """Whether the run was finished."""
        return bool(attributes_of(self._group).get("complete", False))

    def record(
        self,
        progress: Progress,
        snapshot: Arrays | None,
        whole_count: int,
        new_frames: Collection[int],
        anchor_count: int,
        sync: Callable[[], None],
    ) -> None:
        """Make progress and snapshot the ones that `read` returns.

        Parameters
        ----------
        progress, snapshot
            How far the run has come, and what its memory bank holds.
        whole_count
            How many frames are whole: never fewer from now on.
        new_frames
            Which of these were not whole at the commit before.
        anchor_count
            How many anchors there are: never fewer while the plan is followed.
        sync
            Called before what was written is said to be whole, and after.
        """
        before = self._entry()
        slot = SLOTS[1] if self._slots_in_use()[0] == SLOTS[0] else SLOTS[0]
        if snapshot is not None:
            _write_snapshot(self._group, slot, snapshot)
        entry = {
            "stage": progress.walk,
            "next_frame": progress.next_frame,
            "plan_key": progress.plan_key,
            "snapshot": slot if snapshot is not None else None,
            "snapshot_sha256": None if snapshot is None else digest_of_arrays(snapshot),
            "whole_frames": whole_count,
            "new_frames": sorted(new_frames),
            "anchors": anchor_count,
            "objects": len(attributes_of(self._group)["object_ids"]),
        }
        entry["sha256"] = self._seal(entry)
        is_of_this_run = before is not None and before["plan_key"] == entry["plan_key"]
        kept = {EARLIER: before} if snapshot is not None and is_of_this_run else {}
        sync()
        self._put(complete=False, **{PROGRESS: entry}, **kept)
        sync()
        self.sweep()

    def read(self) -> tuple[Progress, Arrays] | None:
        """Return what was last recorded; None before that and after `close`.

        None, too, where what is on disk is not what was recorded.
        """
        entry = self._entry()
        return None if entry is None else self._state_of(entry)

    def step_back(self, damaged: Collection[int], whole_count: int) -> bool:
        """Say that the run came as far as the commit before the last one says.

        Parameters
        ----------
        damaged
            Frames that are not what was written.
        whole_count
            How many frames are, or were, whole.

        Returns
        -------
        bool
            False, and nothing is changed, where that commit is damaged, too, or where
            its memory has seen frames that are.
        """
        earlier = attributes_of(self._group).get(EARLIER)
        try:
            if (
                earlier is None
                or not self._has_seen_none_of(damaged, earlier, whole_count)
                or self._state_of(earlier) is None
            ):
                return False
        except (OutputError, *DAMAGED):
            return False
        self._put(complete=False, **{PROGRESS: earlier})
        self.sweep()
        return True

    def _has_seen_none_of(
        self, damaged: Collection[int], earlier: dict[str, Any], whole_count: int
    ) -> bool:
        """Whether damaged frames, and those that nobody knows of, came after it."""
        last = self._entry()
        if last is None or self._is_edited(last):
            return not damaged and whole_count >= earlier["whole_frames"]
        return whole_count >= last["whole_frames"] and set(damaged) <= set(
            last["new_frames"]
        )

    def _state_of(self, entry: dict[str, Any]) -> tuple[Progress, Arrays] | None:
        """Return what an entry records; None where the disk has something else."""
        progress = Progress(entry["stage"], entry["next_frame"], entry["plan_key"])
        slot = entry["snapshot"]
        snapshot = _read_snapshot(self._group, slot) if slot else {}
        if self._is_edited(entry) or not _is_recorded(snapshot, entry):
            return None
        return progress, snapshot

    def fault(self, whole_count: int) -> str | None:
        """Return what is not as it was recorded, in words; None if all is.

        Parameters
        ----------
        whole_count
            How many frames are, or were, whole.
        """
        try:
            if whole_count < attributes_of(self._group).get("whole_frames", 0):
                return "which frames are whole"
            entry = self._entry()
            if entry is None or not entry["plan_key"]:
                return None
            if self._is_edited(entry):
                return "how far the run had come"
            if whole_count < entry.get("whole_frames", 0):
                return "which frames are whole"
            if self.read() is None:
                return "the memory of the run"
        except (OutputError, *DAMAGED):
            return "how far the run had come, or its memory,"
        return None

    def close(self, whole_count: int) -> None:
        """Mark the run complete, with so many frames, and forget how it got there."""
        self._put(complete=True, whole_frames=whole_count)
        self.sweep()

    def reopen(self) -> None:
        """Mark a complete run as being changed again."""
        self._put(complete=False)

    @property
    def merge(self) -> dict[str, Any] | None:
        """Provenance of a run that has begun to add objects; None if none has."""
        return attributes_of(self._group).get(MERGE)

    @property
    def is_interrupted(self) -> bool:
        """Whether a run with a plan did not come to its end."""
        entry = self._entry()
        return not self.is_complete and bool(entry and entry["plan_key"])

    @property
    def anchor_count(self) -> int:
        """How many anchors a run had at its last commit; 0 where nobody counted."""
        entry = self._entry() or {}
        return int(entry.get("anchors", 0)) if entry.get("plan_key") else 0

    def begin_merge(self, provenance: dict[str, Any]) -> None:
        """Take back `close` and say who adds objects, by one atomic write."""
        self._put(complete=False, **{MERGE: provenance})
        self.sweep()

    def end_merge(self) -> None:
        """Say that the masklets are ready for what `begin_merge` named."""
        self._put(complete=False)

    def forget(self) -> None:
        """Say that nothing may be resumed: the masklets were changed otherwise."""
        if PROGRESS in attributes_of(self._group):
            self._put(complete=False)
        self.sweep()

    def sweep(self) -> None:
        """Remove snapshots that nothing refers to."""
        for slot in set(SLOTS).difference(self._slots_in_use()):
            # Also what a killed process removed half of, which is no group any more.
            if Path(node_path(self._group, slot)).exists():
                del self._group[slot]

    def _entry(self) -> dict[str, Any] | None:
        return attributes_of(self._group).get(PROGRESS)

    def _slots_in_use(self) -> list[str | None]:
        """Return the slots of the last commit and of the one before."""
        known = attributes_of(self._group)
        entries = [known.get(PROGRESS), known.get(EARLIER)]
        return [
            one.get("snapshot") if isinstance(one, dict) else None for one in entries
        ]

    def _seal(self, entry: dict[str, Any]) -> str:
        """Return the SHA-256 of what was recorded, and of the ids of that time."""
        ids = attributes_of(self._group)["object_ids"][: entry["objects"]]
        facts = {key: value for key, value in entry.items() if key != "sha256"}
        text = json.dumps([facts, ids], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _is_edited(self, entry: dict[str, Any]) -> bool:
        """Whether an entry is not what was recorded; version 0.2 sealed none."""
        return "sha256" in entry and entry["sha256"] != self._seal(entry)

    def _put(self, *, complete: bool, **facts: object) -> None:
        kept = {
            key: value
            for key, value in attributes_of(self._group).items()
            if key not in ("complete", PROGRESS, EARLIER, "whole_frames", MERGE)
        }
        replace_attributes(self._group, {**kept, "complete": complete, **facts})


class WholeFrames:
    """Which frames are whole on disk: labels, logits and scores fit together.

    A frame that is written again is taken out before the first byte changes, and
    comes back with `mark`: 0 was never whole, 1 is, 2 was and will be again, so that
    what was whole once stays to be seen.
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
        whole: np.ndarray = self._marks == IS_WHOLE
        return whole

    @property
    def pending(self) -> frozenset[int]:
        """Frames that have changed since `mark`."""
        return frozenset(self._pending)

    @property
    def new(self) -> frozenset[int]:
        """Those of `pending` that were never whole."""
        return frozenset(one for one in self._pending if not self._marks[one])

    @property
    def count(self) -> int:
        """How many frames are, or were, whole."""
        return int(np.count_nonzero(self._marks))

    def forget(self) -> None:
        """Drop what is in memory: the disk says what holds."""
        try:
            self._marks = np.array(self._array[:])  # (T,)
        except DAMAGED:
            # Then nobody knows of any: fewer are whole than the last commit says.
            self._marks = np.zeros(self._array.shape, np.uint8)
        self._pending: set[int] = set()

    def begin(self, frame_index: int) -> None:
        """Say that a frame is about to change."""
        if self._marks[frame_index] == IS_WHOLE:
            self._marks[frame_index] = WAS_WHOLE
            self._write()
        self._pending.add(frame_index)

    def remove(self, frame_index: int) -> None:
        """Say that a frame is not whole, and that it is not being changed."""
        self._marks[frame_index] = 0
        self._write()

    def mark(self) -> None:
        """Say that all changed frames are whole again."""
        if self._pending:
            self._marks[sorted(self._pending)] = IS_WHOLE
            self._write()
            self._pending.clear()

    def _write(self) -> None:
        """Write all marks, which are one chunk: some of them would be read first."""
        self._array[:] = self._marks


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


def _is_recorded(snapshot: Arrays, entry: dict[str, Any]) -> bool:
    known = entry.get("snapshot_sha256")
    return known is None or known == digest_of_arrays(snapshot)


def _whole_shape(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(max(1, length) for length in shape)

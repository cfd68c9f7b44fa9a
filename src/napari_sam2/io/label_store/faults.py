"""What of a label group is not what was written: found by digests, area by area.

Frames that version 0.2 wrote have no digests. Of these, the label image must show as
many pixels of each object as its area says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_sam2.errors import OutputError
from napari_sam2.io.label_store.anchor_arrays import AnchorArrays
from napari_sam2.io.label_store.frame_arrays import FrameArrays
from napari_sam2.io.label_store.progress_journal import ProgressJournal
from napari_sam2.io.ome_zarr.digests import UNKNOWN, digest_of_file
from napari_sam2.io.storage import DAMAGED

Part = Literal[
    "metadata",
    "progress",
    "labels",
    "levels",
    "image",
    "scores",
    "measurements",
    "anchor",
    "session",
    "history",
]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not what was written.

    Attributes
    ----------
    part
        What of the label group.
    text
        What is wrong, in words.
    frame_index
        Of which frame; None where it is about more.
    """

    part: Part
    text: str
    frame_index: int | None = None

    def __str__(self) -> str:
        if self.frame_index is None:
            return self.text
        return f"frame {self.frame_index}: {self.text}"


def frame_faults(frames: FrameArrays) -> Iterator[Fault]:
    """Yield what is wrong with frames that are said to be whole, once for each."""
    for frame_index in np.flatnonzero(frames.whole.read()).tolist():
        fault = _fault_of(frames, frame_index)
        if fault is not None:
            yield fault


def anchor_faults(anchors: AnchorArrays, journal: ProgressJournal) -> Iterator[Fault]:
    """Yield which anchors are not what was written, or that some are missing."""
    try:
        for object_id, frame_index in anchors.damaged():
            text = f"what was seen of object {object_id} is not what was written"
            yield Fault("anchor", text, frame_index)
        if anchors.count < journal.anchor_count:
            yield Fault("anchor", "some of what was seen on prompted frames is missing")
    except (OutputError, OSError, *DAMAGED) as error:
        yield Fault("anchor", f"the anchors cannot be read ({first_line(error)})")


def _fault_of(frames: FrameArrays, frame_index: int) -> Fault | None:
    part: Part = "scores"
    try:
        known = frames.digests.of_scores(frame_index)
        if known == UNKNOWN:
            if not _areas_fit(frames, frame_index):
                text = "the labels do not have the areas that were measured"
                return Fault("labels", text, frame_index)
        elif known != frames.digest_of_scores(frame_index):
            text = "the scores are not what was written"
            return Fault("scores", text, frame_index)
        part = "measurements"
        if known != UNKNOWN and not _measurements_fit(frames, frame_index):
            text = "what was measured is missing, or not what was written"
            return Fault(part, text, frame_index)
        part = "labels"
        for file, digest in frames.digests.of_chunks(frame_index):
            if digest not in (UNKNOWN, digest_of_file(file)):
                what = "is not what was written" if file.exists() else "is missing"
                return Fault("labels", f"{file} {what}", frame_index)
    except (OutputError, OSError, *DAMAGED) as error:
        frames.forget()
        return Fault(part, f"cannot be read ({first_line(error)})", frame_index)
    return None


def _measurements_fit(frames: FrameArrays, frame_index: int) -> bool:
    known = frames.digests.of_measurements(frame_index)
    if known == UNKNOWN:
        return not frames.lacks_numbers(frame_index)
    return known == frames.digest_of_measurements(frame_index)


def _areas_fit(frames: FrameArrays, frame_index: int) -> bool:
    columns = frames.scores.computed(frame_index)
    area = frames.scores.read(frame_index, columns).area
    labels = np.asarray(frames.labels[frame_index])
    counts = np.bincount(labels.ravel())
    ids = [frames.object_ids[column] for column in columns]
    shown = [int(counts[one]) if one < len(counts) else 0 for one in ids]
    return bool(np.array_equal(area, shown))


def first_line(error: Exception) -> str:
    """Return what a library says of a file, in short."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]

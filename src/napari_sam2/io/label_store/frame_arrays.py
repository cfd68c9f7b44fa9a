"""All that a label group holds for each frame: labels, logits, scores, measurements.

They are written together, so that they fit together; `WholeFrames` says of
which frames that is true on disk.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from threading import Lock

import numpy as np
import zarr

from napari_sam2.interfaces import FrameResult, ObjectScores
from napari_sam2.io.label_store.group import check_range, labels_of
from napari_sam2.io.label_store.mask_logits import LogitArray
from napari_sam2.io.label_store.progress_journal import WholeFrames
from napari_sam2.io.label_store.tables.frame_digests import (
    FrameDigests,
    digest_of_measurements,
    digest_of_scores,
)
from napari_sam2.io.label_store.tables.measurements import (
    EVIDENCE,
    MEASUREMENTS,
    MeasurementArrays,
)
from napari_sam2.io.label_store.tables.rows import RowBlock, ScoreArrays, TileArray
from napari_sam2.io.ome_zarr.planes import PlaneLayout, label_planes
from napari_sam2.metrics.regions import Measured, measure


class FrameArrays:
    """Arrays of all frames, and which object has which column.

    Parameters
    ----------
    group, run
        The label group, and the group of its run.
    object_ids
        Ids by column.

    Attributes
    ----------
    labels_lock
        Held while labels are replaced, by who replaces them, and while another thread
        reads them: it sees no frame that is half new, and Windows lets nobody replace a
        file that is being read.
    """

    def __init__(
        self,
        group: zarr.Group,
        run: zarr.Group,
        object_ids: list[int],
        layout: PlaneLayout,
    ) -> None:
        stored = labels_of(group)
        self.labels = label_planes(stored, layout)
        self.labels_lock = Lock()
        self.object_ids = object_ids
        self.whole = WholeFrames.open(run)
        self.scores = ScoreArrays.open(run)
        self.logits = LogitArray.open(run)
        height, width = self.labels.shape[1:]
        self.tiles = TileArray(run, (height, width))
        shape = self.scores.shape
        self.measurements = MeasurementArrays(run, shape, MEASUREMENTS)
        self.evidence = MeasurementArrays(run, shape, EVIDENCE)
        self.digests = FrameDigests(run, stored, self.logits.array, layout)
        self._columns = {
            object_id: column for column, object_id in enumerate(object_ids)
        }

    def __contains__(self, object_id: object) -> bool:
        return object_id in self._columns

    def columns_of(self, object_ids: Iterable[int]) -> list[int]:
        """Return the columns of objects.

        Raises
        ------
        ValueError
            If one was never added.
        """
        try:
            return [self._columns[object_id] for object_id in object_ids]
        except KeyError as error:
            raise ValueError(
                f"object {error.args[0]} is not in the store: add_objects comes first"
            ) from error

    def add_columns(self, object_ids: Iterable[int]) -> None:
        """Make room for more objects; the caller records the list of ids after."""
        for object_id in object_ids:
            check_range(object_id, self.labels.dtype)
            self._columns[object_id] = len(self.object_ids)
            self.object_ids.append(object_id)
        count = len(self.object_ids)
        self.logits.resize(count)
        for block in self._blocks:
            block.resize(count)
        self.digests.resize()

    def write(self, result: FrameResult, image: np.ndarray | None = None) -> None:
        """Store one frame, replacing what was there; see `OmeZarrLabelStore.write`."""
        frame, columns = result.frame_index, self.columns_of(result.object_ids)
        if result.labels.dtype != self.labels.dtype:
            check_range(result.labels.max(initial=0), self.labels.dtype)
        self.whole.begin(frame)
        with self.labels_lock:
            self.labels[frame] = result.labels.astype(self.labels.dtype, copy=False)
        self.logits.write(frame, columns, result.logits)
        self.tiles.write(frame, columns, result.tiles)
        self.scores.write(frame, columns, result.scores)
        self.evidence.write(frame, columns, result.scores.division)
        self._measure(frame, columns, result.labels, image)

    def clear(self, frames: Collection[int]) -> None:
        """Forget all that is known of frames, also where it cannot be read."""
        for frame in sorted(frames):
            self.whole.remove(frame)
            with self.labels_lock:
                self.labels[frame] = 0
            self.logits.clear(frame)
            self.digests.clear(frame)
            for block in self._blocks:
                block.clear(frame)
        self.settle()

    def computed(self, frame_index: int, without: Sequence[int] = ()) -> list[int]:
        """Return the columns with a result on a frame, in order of the ids."""
        left_out = set(without)
        found = self.scores.computed(frame_index)
        kept = [column for column in found if self.object_ids[column] not in left_out]
        return sorted(kept, key=self.object_ids.__getitem__)

    def lacks_numbers(self, frame_index: int) -> bool:
        """Whether an object with pixels on a frame has no place in the measurements.

        Reads all numbers of the frame, which raises where they are damaged.
        """
        for block in self._blocks:
            block.load(frame_index)
        columns = self.scores.computed(frame_index)
        area = self.scores.read(frame_index, columns).area
        return not self.measurements.are_known(
            frame_index, [columns[at] for at in np.flatnonzero(area)]
        )

    def digest_of_scores(self, frame_index: int) -> int:
        """Return the digest of the scores that a frame has."""
        return digest_of_scores(self.scores, self.tiles, self.object_ids, frame_index)

    def digest_of_measurements(self, frame_index: int) -> int:
        """Return the digest of what was measured on a frame, and of divisions there."""
        tables, columns = (self.measurements, self.evidence), self.computed(frame_index)
        return digest_of_measurements(tables, columns, self.object_ids, frame_index)

    def read_logits(
        self, frame_index: int, without: Sequence[int]
    ) -> tuple[tuple[int, ...], np.ndarray]:
        """Return ids and logits; see `OmeZarrLabelStore.read_logits`."""
        columns = self.computed(frame_index, without)
        ids = tuple(self.object_ids[column] for column in columns)
        return ids, self.logits.read(frame_index, columns)

    def read_tiles(self, frame_index: int, object_ids: Sequence[int]) -> np.ndarray:
        """Return which tiles stored logits cover."""
        return self.tiles.read(frame_index, self.columns_of(object_ids))

    def read_scores(self, frame_index: int) -> tuple[tuple[int, ...], ObjectScores]:
        """Return ids and scores of the objects that have a result on a frame."""
        columns = self.computed(frame_index)
        ids = tuple(self.object_ids[column] for column in columns)
        return ids, self.scores.read(frame_index, columns)

    def settle(self) -> None:
        """Write out what waits in memory; all written frames are whole then."""
        for block in self._blocks:
            block.flush()
        self.digests.flush(
            {
                frame: (
                    self.digest_of_scores(frame),
                    self.digest_of_measurements(frame),
                )
                for frame in sorted(self.whole.pending)
            }
        )
        self.whole.mark()

    def forget(self) -> None:
        """Drop what is in memory, because the disk was changed below."""
        for block in self._blocks:
            block.forget()
        self.digests.forget()
        self.whole.forget()

    @property
    def _blocks(self) -> tuple[RowBlock, ...]:
        """What holds numbers for each object on each frame."""
        tables = (self.tiles, self.scores, self.measurements, self.evidence)
        return tuple(table.block for table in tables)

    def _measure(
        self,
        frame: int,
        columns: Sequence[int],
        labels: np.ndarray,
        image: np.ndarray | None,
    ) -> None:
        """Measure the objects of a frame; others than the written may lose pixels."""
        written = set(columns)
        others = [
            column for column in self.scores.computed(frame) if column not in written
        ]
        self.measurements.write(frame, columns, self._measured(columns, labels, image))
        if not others:
            return
        measured = self._measured(others, labels, image)
        if image is not None:
            self.measurements.write(frame, others, measured)
        else:
            self.measurements.write_positions(frame, others, measured)
        self.scores.write_areas(frame, others, measured.area)

    def _measured(
        self, columns: Sequence[int], labels: np.ndarray, image: np.ndarray | None
    ) -> Measured:
        return measure(labels, [self.object_ids[column] for column in columns], image)

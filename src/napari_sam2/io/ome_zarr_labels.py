"""Masklets as OME-Zarr labels, with all that a run needs to go on where it stopped.

`labels/<name>/0` is an ordinary label image that any viewer opens while it is being
written. Everything else of the run (scores, logits, anchors, progress, snapshot of the
memory bank) lies in the group `labels/<name>/napari-sam2`. See ``docs/formats.md``.

One thread at a time may use a store; readers in other processes need no care.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, Self

import numpy as np
import zarr

from napari_sam2.errors import OutputError
from napari_sam2.interfaces import (
    Arrays,
    Calibration,
    FrameResult,
    ObjectScores,
    Progress,
    StoredAnchor,
)
from napari_sam2.io.anchor_arrays import AnchorArrays
from napari_sam2.io.label_group import (
    RUN,
    LabelGroupSpec,
    check_range,
    complete,
    create_label_group,
    describe,
    drop_pyramid,
    open_label_group,
    write_provenance,
)
from napari_sam2.io.mask_logits import LogitArray
from napari_sam2.io.ome_zarr_metadata import (
    LabelledObject,
    read_calibration,
    read_objects,
)
from napari_sam2.io.ome_zarr_parent import Parent, open_parent
from napari_sam2.io.progress_journal import ProgressJournal, WholeFrames
from napari_sam2.io.provenance import Provenance
from napari_sam2.io.score_arrays import ScoreArrays
from napari_sam2.io.zarr_nodes import (
    array_at,
    attributes_of,
    group_at,
    replace_attributes,
    storage_errors,
)
from napari_sam2.prompts import PromptedObject

DEFAULT_NAME = "masklets"
UNCALIBRATED = Calibration()


class OmeZarrLabelStore:
    """A `LabelStore` in an OME-Zarr folder.

    Made by `create`, `open` or `open_for_resume`.

    Attributes
    ----------
    path, name
        Folder of the OME-Zarr, name of the label group in it.
    array
        ``(T, Y, X)`` label image, writable unless opened with ``"r"``: what a viewer
        shows and paints on.
    calibration
        Scale, units and kind of the frame axis.
    is_complete
        Whether `finish` was called and nothing was written since.
    """

    def __init__(self, parent: Parent, name: str, mode: Literal["r", "r+"]) -> None:
        self._parent = parent
        self.path = parent.path
        self.name = name
        self._group = open_label_group(parent, name, mode)
        self._run = group_at(self._group, RUN)
        self.array: zarr.Array = array_at(self._group, "0")
        self.calibration = read_calibration(attributes_of(self._group))
        self._object_ids: list[int] = list(attributes_of(self._run)["object_ids"])
        self._columns = {one: column for column, one in enumerate(self._object_ids)}
        self._scores = ScoreArrays.open(self._run)
        self._logits = LogitArray.open(self._run)
        self._anchors = AnchorArrays(group_at(self._run, "anchors"), self._object_ids)
        self._whole = WholeFrames.open(self._run)
        self._journal = ProgressJournal(self._run)
        self.is_complete = self._journal.is_complete

    @classmethod
    def create(  # noqa: PLR0913 - each is a fact of its own, all by keyword
        cls,
        path: Path,
        *,
        frame_count: int,
        frame_shape: tuple[int, int],
        logits_shape: tuple[int, int],
        objects: Sequence[PromptedObject],
        provenance: Provenance,
        calibration: Calibration = UNCALIBRATED,
        name: str = DEFAULT_NAME,
        dtype: np.typing.DTypeLike = np.uint16,
        overwrite: bool = False,
    ) -> Self:
        """Create an empty label group in a new or an existing OME-Zarr.

        Parameters
        ----------
        path
            Folder of the OME-Zarr: a new one, or an image, which gets labels.
        frame_count, frame_shape, logits_shape
            T, ``(Y, X)`` of a frame, ``(h, w)`` of the low-resolution logits.
        objects
            All objects known by now; others may come by `add_objects`.
        provenance, calibration, name
            What makes the masklets, their scale, and their name.
        dtype
            uint16, or uint32 for ids above 65535.
        overwrite
            Whether an existing label group of that name is replaced.

        Raises
        ------
        OutputError
            If the group exists, the folder is no OME-Zarr or holds another movie, an id
            does not fit into ``dtype``, or the disk refuses.
        """
        spec = LabelGroupSpec(
            name=name,
            shape=(frame_count, *frame_shape),
            logits_shape=logits_shape,
            objects=tuple(objects),
            provenance=provenance,
            calibration=calibration,
            dtype=np.dtype(dtype),
        )
        with storage_errors(Path(path), "create the labels"):
            parent = create_label_group(Path(path), spec, overwrite=overwrite)
            return cls(parent, name, "r+")

    @classmethod
    def open(
        cls, path: Path, name: str = DEFAULT_NAME, mode: Literal["r", "r+"] = "r+"
    ) -> Self:
        """Open an existing label group that this plugin made.

        Raises
        ------
        OutputError
            If there is none, or a newer version wrote it.
        """
        with storage_errors(Path(path), "open the labels"):
            return cls(open_parent(Path(path), mode), name, mode)

    @classmethod
    def open_for_resume(
        cls, path: Path, expected: Provenance, name: str = DEFAULT_NAME
    ) -> Self:
        """Open a label group to go on with its run, and sweep up after a killed one.

        Raises
        ------
        OutputError
            If something that decides the result is not what it was; the message names
            it.
        """
        store = cls.open(path, name)
        different = store.provenance.differences(expected)
        if different:
            raise OutputError(
                f"{store.path}/labels/{name}: {' and '.join(different)} changed since "
                "this run was started; run with the same, or with --overwrite"
            )
        with storage_errors(store.path, "open the labels"):
            store._parent.list_label(name)
            store._parent.sweep(name)
            store._journal.sweep()
            if not store.is_complete:
                # Killed while finishing, it may list levels that will soon be stale.
                drop_pyramid(store._group, store._parent)
        return store

    @staticmethod
    def exists(path: Path, name: str = DEFAULT_NAME) -> bool:
        """Return whether there is a label group of that name."""
        return (Path(path) / "labels" / name).exists()

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return self.array.shape[0]

    @property
    def frame_shape(self) -> tuple[int, int]:
        """``(Y, X)`` of the label images."""
        _, height, width = self.array.shape
        return height, width

    @property
    def logits_shape(self) -> tuple[int, int]:
        """``(h, w)`` of the low-resolution logits."""
        return self._logits.mask_shape

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ids of all objects, by column of the arrays ``(T, objects)``."""
        return tuple(self._object_ids)

    @property
    def objects(self) -> list[LabelledObject]:
        """All objects with name, parent and, once finished, first and last frame."""
        return read_objects(attributes_of(self._group))

    @property
    def provenance(self) -> Provenance:
        """What made the masklets."""
        return Provenance.model_validate(attributes_of(self._group)[RUN]["provenance"])

    def renew_provenance(self, provenance: Provenance) -> None:
        """Say what makes the masklets from now on, after prompts have changed."""
        with storage_errors(self.path, "record the provenance"):
            write_provenance(self._group, provenance)

    @property
    def whole_frames(self) -> np.ndarray:
        """``(T,)`` bool: labels, logits and scores on disk fit together."""
        return self._whole.read()

    def write(self, result: FrameResult) -> None:
        """Store one frame, replacing what was there; scores wait for `commit`.

        Raises
        ------
        ValueError
            If an object was never added.
        OutputError
            If a label value does not fit, or the disk refuses.
        """
        frame, columns = result.frame_index, self._columns_of(result.object_ids)
        if result.labels.dtype != self.array.dtype:
            check_range(result.labels.max(initial=0), self.array.dtype)
        with storage_errors(self.path, f"write frame {frame}"):
            self.reopen()
            self._whole.begin(frame)
            self.array[frame] = result.labels.astype(self.array.dtype, copy=False)
            self._logits.write(frame, columns, result.logits)
            self._scores.write(frame, columns, result.scores)
            self._renew_areas(frame, columns, result.labels)

    def read_labels(self, frame_index: int) -> np.ndarray:
        """Return the ``(Y, X)`` label image; zeros where nothing was written."""
        return np.asarray(self.array[frame_index])

    def read_logits(
        self, frame_index: int, *, without: Sequence[int] = ()
    ) -> tuple[tuple[int, ...], np.ndarray]:
        """Return ids and ``(objects, h, w)`` float32 logits of a frame, in id order.

        Upsampled bilinearly, they are positive where the original ones were and equal
        there (see `mask_logits`). Costs nothing when no object is left.
        """
        columns = self._computed(frame_index, without)
        ids = tuple(self._object_ids[column] for column in columns)
        return ids, self._logits.read(frame_index, columns)

    def read_scores(self, frame_index: int) -> tuple[tuple[int, ...], ObjectScores]:
        """Return ids and scores of the objects that have a result on a frame."""
        columns = self._computed(frame_index)
        ids = tuple(self._object_ids[column] for column in columns)
        return ids, self._scores.read(frame_index, columns)

    def read_score_table(
        self, name: Literal["object_score", "predicted_iou", "stability", "area"]
    ) -> np.ndarray:
        """Return one score as ``(T, objects)``; NaN (area: −1) if never computed."""
        return self._scores.read_all(name)

    def write_anchor(self, anchor: StoredAnchor) -> None:
        """Store what a person saw on an anchor, bit for bit."""
        (column,) = self._columns_of([anchor.object_id])
        with storage_errors(self.path, f"write frame {anchor.frame_index}"):
            self._anchors.write(anchor, column)

    def read_anchors(self) -> list[StoredAnchor]:
        """Return all stored anchors, by object and frame."""
        return sorted(
            self._anchors.read(), key=lambda one: (one.object_id, one.frame_index)
        )

    def add_objects(self, objects: Iterable[PromptedObject]) -> None:
        """Make room for objects that were not known when the store was created.

        Raises
        ------
        OutputError
            If an id does not fit into the label image.
        """
        new = [one for one in objects if one.object_id not in self._columns]
        if not new:
            return
        for one in new:
            check_range(one.object_id, self.array.dtype)
            self._columns[one.object_id] = len(self._object_ids)
            self._object_ids.append(one.object_id)
        count = len(self._object_ids)
        with storage_errors(self.path, "add objects"):
            self.reopen()
            # The list of ids comes last: until then nobody looks at the new columns.
            self._scores.resize(count)
            self._logits.resize(count)
            self._anchors.resize(self._object_ids)
            attributes = attributes_of(self._run)
            replace_attributes(
                self._run, {**attributes, "object_ids": self._object_ids}
            )
            listed = [
                LabelledObject(one.object_id, one.name, one.parent) for one in new
            ]
            describe(self._group, self._parent, [*self.objects, *listed], 1)

    def commit(self, progress: Progress, snapshot: Arrays | None) -> None:
        """Make all writes so far durable, then record that they are whole.

        Raises
        ------
        OutputError
            If the disk refuses; what the last commit recorded is still true.
        """
        with storage_errors(self.path, "record the progress"):
            self._scores.flush()
            self._whole.mark()
            self._journal.record(progress, snapshot)
        self.is_complete = False

    def read_progress(self) -> tuple[Progress, Arrays] | None:
        """Return what the last `commit` recorded, or None."""
        return self._journal.read()

    def finish(self) -> None:
        """Mark the run complete: drop the snapshot, build the pyramid if needed.

        Inside an image the labels get as many levels as it has.
        """
        with storage_errors(self.path, "finish the labels"):
            self._scores.flush()
            self._whole.mark()
            spans = self._scores.frame_spans()
            ids = self._object_ids
            by_id = {ids[column]: span for column, span in spans.items()}
            complete(self._group, self._parent, by_id)
            self._journal.close()
        self.is_complete = True

    def reopen(self) -> None:
        """Take back `finish`, because the labels are about to change.

        Writing does so by itself; a viewer does it before somebody paints on `array`.
        """
        if self.is_complete:
            with storage_errors(self.path, "reopen the labels"):
                self._journal.reopen()
                drop_pyramid(self._group, self._parent)
            self.is_complete = False

    def _columns_of(self, object_ids: Iterable[int]) -> list[int]:
        try:
            return [self._columns[one] for one in object_ids]
        except KeyError as error:
            raise ValueError(
                f"object {error.args[0]} is not in the store: add_objects comes first"
            ) from error

    def _computed(self, frame_index: int, without: Sequence[int] = ()) -> list[int]:
        """Return the columns with a result on a frame, in order of the ids."""
        left_out = set(without)
        found = self._scores.computed(frame_index)
        kept = [one for one in found if self._object_ids[one] not in left_out]
        return sorted(kept, key=self._object_ids.__getitem__)

    def _renew_areas(
        self, frame_index: int, columns: Sequence[int], labels: np.ndarray
    ) -> None:
        """Set the areas of objects computed before, which may have lost pixels."""
        others = sorted(set(self._scores.computed(frame_index)) - set(columns))
        if others:
            ids = np.array([self._object_ids[column] for column in others])
            areas = np.bincount(labels.ravel(), minlength=ids.max() + 1)[ids]
            self._scores.write_areas(frame_index, others, areas)

"""Masklets as OME-Zarr labels, with all that a run needs to go on where it stopped.

`labels/<name>/0` is an ordinary label image that any viewer opens while it is being
written. Everything else of the run (scores, logits, anchors, progress, snapshot of the
memory bank) lies in the group `labels/<name>/napari-sam2`. See ``docs/formats.md``.

One thread at a time may use a store, but for `read_labels`, and one writer at a time (a
window, a thread) may write a label group: the second is refused. Readers need no care.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Literal, Self

import numpy as np

from napari_sam2.errors import OutputError
from napari_sam2.interfaces import (
    Arrays,
    Calibration,
    DivisionEvidence,
    FrameResult,
    ObjectScores,
    Progress,
    StoredAnchor,
)
from napari_sam2.io.label_store.files import LabelFiles
from napari_sam2.io.label_store.group import (
    RUN,
    LabelGroupSpec,
    create_label_group,
    plane_of,
    write_provenance,
)
from napari_sam2.io.label_store.mending import mend, refuse_damaged
from napari_sam2.io.label_store.tables.measurements import EVIDENCE, MeasurementName
from napari_sam2.io.label_store.writing_lock import (
    NO_LOCK,
    hold_writing_lock,
    replacing,
)
from napari_sam2.io.ome_zarr.machine_lock import alone
from napari_sam2.io.ome_zarr.metadata import LabelledObject, read_calibration
from napari_sam2.io.ome_zarr.parent import Parent, open_parent
from napari_sam2.io.ome_zarr.zarr_nodes import attributes_of
from napari_sam2.io.sessions.document import SessionDocument
from napari_sam2.io.sessions.folder import session_names
from napari_sam2.io.sessions.provenance import Provenance
from napari_sam2.io.storage import reading_errors, storage_errors
from napari_sam2.prompts import PromptedObject
from napari_sam2.tiles import TileLayout

DEFAULT_NAME = "masklets"
UNCALIBRATED = Calibration()
CREATING = "creating labels"


class OmeZarrLabelStore:
    """A `LabelStore` in an OME-Zarr folder.

    Made by `create`, `open` or `open_for_resume`. Unless opened with ``"r"``, others
    cannot write the label group until `close`, or until nothing refers to the store.

    Attributes
    ----------
    path, name
        Folder of the OME-Zarr, name of the label group in it.
    array
        ``(T, Y, X)`` label image, writable unless opened with ``"r"``: what a viewer
        shows and paints on.
    calibration
        Scale, units and kind of the frame axis.
    history
        Undo and redo, on disk.
    remark
        What people should be told: what `open_for_resume` found damaged, or that nobody
        is kept from writing; or None.
    """

    remark: str | None = None

    def __init__(
        self,
        parent: Parent,
        name: str,
        mode: Literal["r", "r+"],
        writer: int | None = None,
    ) -> None:
        self.path = parent.path
        self.name = name
        run = parent.labels_folder() / name / RUN
        # Comes first: opening ends what a killed process began, and only that.
        self._lock = hold_writing_lock(run, writer) if mode == "r+" else None
        if self._lock is not None and not self._lock.keeps_others_out:
            self.remark = f"{run.parent}: {NO_LOCK}"
        self._files = LabelFiles(parent, name, mode)
        self._frames = self._files.frames
        self.array = self._frames.labels
        self.calibration = read_calibration(
            attributes_of(self._files.group), self._files.layout
        )
        self.history = self._files.history

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
        writer: int | None = None,
        tiles: TileLayout | None = None,
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
        writer, tiles
            As for `open`; where the tiles lie that logits cover, None for the frame.

        Raises
        ------
        OutputError
            If the group exists, the folder is no OME-Zarr or holds another movie, an id
            does not fit into ``dtype``, another process writes it, or the disk refuses.
        """
        spec = LabelGroupSpec(
            name=name,
            shape=(frame_count, *frame_shape),
            logits_shape=logits_shape,
            objects=tuple(objects),
            provenance=provenance,
            calibration=calibration,
            dtype=np.dtype(dtype),
            tiles=None if tiles is None or tiles.is_whole else tiles,
        )
        path = Path(path)
        run = path / "labels" / name / RUN
        with (
            storage_errors(path, "create the labels"),
            alone(path, CREATING) as is_alone,
            replacing(run, writer) if overwrite else nullcontext(),
        ):
            parent = create_label_group(path, spec, overwrite=overwrite, sweep=is_alone)
            return cls(parent, name, "r+", writer)

    @classmethod
    def open(
        cls,
        path: Path,
        name: str = DEFAULT_NAME,
        mode: Literal["r", "r+"] = "r+",
        writer: int | None = None,
    ) -> Self:
        """Open an existing label group that this plugin made.

        Stores of the same ``writer`` (a number; by default the thread's) may write it
        together.

        Raises
        ------
        OutputError
            If there is none, a newer version wrote it, or it is to be written and
            somebody else writes it.
        """
        path = Path(path)
        with storage_errors(path, "open the labels"), reading_errors(path, name):
            return cls(open_parent(path, mode), name, mode, writer)

    @classmethod
    def open_for_resume(
        cls, path: Path, expected: Provenance, name: str = DEFAULT_NAME
    ) -> Self:
        """Open a label group to go on with its run, and sweep up after a killed one.

        Raises
        ------
        OutputError
            If something that decides the result is not what it was; the message names
            it. If the run was finished, and frames of it are damaged.
        """
        store = cls.open(path, name)
        known = store._files.merging or store.provenance
        different = known.differences(expected)
        if different:
            store.close()
            # What was there before objects were added would be lost, too.
            other = "" if known.settings.get("merge") else ", or overwrite it"
            raise OutputError(
                f"{store.path}/labels/{name}: {' and '.join(different)} changed since "
                f"this run was started; run with the same{other}"
            )
        try:
            with storage_errors(store.path, "open the labels"):
                store._files.sweep(name)
                if store.is_complete:
                    refuse_damaged(store._files)
                is_merge = bool(expected.settings.get("merge"))
                store._say(mend(store._files, is_merge=is_merge))
        except OutputError:
            store.close()
            raise
        return store

    def _say(self, remark: str | None) -> None:
        self.remark = "; ".join(filter(None, (self.remark, remark))) or None

    def close(self) -> None:
        """Let others write; nothing may be written by this store any more."""
        self._lock = None

    @staticmethod
    def exists(path: Path, name: str = DEFAULT_NAME) -> bool:
        """Return whether there is a label group of that name."""
        return (Path(path) / "labels" / name).exists()

    @staticmethod
    def is_ours(path: Path, name: str = DEFAULT_NAME) -> bool:
        """Return whether there is a label group of that name that this plugin made."""
        return name in session_names(Path(path))

    @property
    def is_merging(self) -> bool:
        """Whether `begin_merge` was interrupted."""
        return self._files.merging is not None

    @property
    def is_complete(self) -> bool:
        """Whether `finish` was called and nothing was written since."""
        return self._files.is_complete

    def begin_merge(
        self, objects: Sequence[PromptedObject], provenance: Provenance
    ) -> None:
        """Get ready for a run that adds objects to the masklets that are here.

        Killed at any moment, it is begun again by calling this with the same.

        Parameters
        ----------
        objects
            All objects of the run.
        provenance
            Of the run: its plan, which may be resumed from now on.

        Raises
        ------
        OutputError
            If another run was interrupted here, whose frames would never be computed;
            if an id does not fit into the label image, or the disk refuses.
        """
        where = f"{self.path}/labels/{self.name}"
        begun = self._files.merging
        if begun is not None and begun.differences(provenance):
            raise OutputError(
                f"{where}: other objects were being added when that was interrupted; "
                "go on with those first, by their command and --resume"
            )
        if begun is None and self._is_interrupted:
            raise OutputError(
                f"{where}: the run there was interrupted, and some of its frames were "
                "never computed; go on with it first, by its command and --resume"
            )
        with self._files.writing("add objects"):
            self._files.begin_merge(list(objects), provenance)

    @property
    def _is_interrupted(self) -> bool:
        if self.is_complete:
            return False
        with self._files.reading("the progress"):
            # One of the command line that was killed before its first commit.
            is_unbegun = not self._files.has_session and not self.whole_frames.any()
            return self._files.journal.is_interrupted or is_unbegun

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
    def plane(self) -> dict[str, int]:
        """By axis: where the masklets lie in their image, as far as that is known."""
        return plane_of(self.provenance) | dict(self._files.layout.fixed)

    @property
    def logits_shape(self) -> tuple[int, int]:
        """``(h, w)`` of the low-resolution logits."""
        return self._frames.logits.mask_shape

    @property
    def layout(self) -> TileLayout:
        """Where the tiles lie that logits cover: the frame, where there are none."""
        return self._frames.tiles.layout

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ids of all objects, by column of the arrays ``(T, objects)``."""
        return tuple(self._frames.object_ids)

    @property
    def objects(self) -> list[LabelledObject]:
        """All objects with name, parent and, once finished, first and last frame."""
        return self._files.objects

    @property
    def provenance(self) -> Provenance:
        """What made the masklets."""
        return self._files.provenance

    def renew_provenance(self, provenance: Provenance) -> None:
        """Say what makes the masklets from now on, after prompts have changed."""
        with storage_errors(self.path, "record the provenance"):
            write_provenance(self._files.group, provenance)

    @property
    def whole_frames(self) -> np.ndarray:
        """``(T,)`` bool: labels, logits and scores on disk fit together."""
        return self._frames.whole.read()

    def write(self, result: FrameResult, *, image: np.ndarray | None = None) -> None:
        """Store one frame, replacing what was there; scores wait for `commit`.

        ``image``, ``(Y, X)`` or ``(Y, X, C)``, is what mean intensities are of.

        Raises
        ------
        ValueError
            If an object was never added.
        OutputError
            If a label value does not fit, or the disk refuses.
        """
        self._frames.columns_of(result.object_ids)
        with self._files.writing(f"write frame {result.frame_index}"):
            self._files.prepare()
            self._frames.write(result, result.image if image is None else image)

    def read_labels(self, frame_index: int) -> np.ndarray:
        """Return the ``(Y, X)`` label image; zeros where nothing was written.

        The one thing that any thread may do, at any time.

        Raises
        ------
        OutputError
            Like all that reads: if the disk refuses, or the file is damaged.
        """
        what = f"frame {frame_index} of the labels"
        with self._files.reading(what), self._frames.labels_lock:
            return np.asarray(self.array[frame_index])

    def read_logits(
        self, frame_index: int, *, without: Sequence[int] = ()
    ) -> tuple[tuple[int, ...], np.ndarray]:
        """Return ids and ``(objects, h, w)`` float32 logits of a frame, in id order.

        Upsampled bilinearly, they are positive where the original ones were and equal
        there (see `mask_logits`). Costs nothing when no object is left.
        """
        with self._files.reading(f"frame {frame_index} of the logits"):
            return self._frames.read_logits(frame_index, without)

    def read_tiles(self, frame_index: int, object_ids: Sequence[int]) -> np.ndarray:
        """Return ``(objects,)`` int64, the tiles that stored logits cover."""
        with self._files.reading(f"frame {frame_index} of the tiles"):
            return self._frames.read_tiles(frame_index, object_ids)

    def read_scores(self, frame_index: int) -> tuple[tuple[int, ...], ObjectScores]:
        """Return ids and scores of the objects that have a result on a frame."""
        with self._files.reading(f"frame {frame_index} of the scores"):
            return self._frames.read_scores(frame_index)

    def read_score_table(
        self, name: Literal["object_score", "predicted_iou", "stability", "area"]
    ) -> np.ndarray:
        """Return one score as ``(T, objects)``; NaN (area: −1) if never computed."""
        with self._files.reading("the scores"):
            return self._frames.scores.read_all(name)

    def read_measurements(self, name: MeasurementName) -> np.ndarray:
        """Return one measurement as ``(T, objects)`` float32; NaN where unknown."""
        with self._files.reading("the measurements"):
            return self._frames.measurements.read_all(name)

    def read_division_evidence(self) -> DivisionEvidence:
        """Return what raw masks said of divisions, ``(T, objects)``; NaN if unknown."""
        table = self._frames.evidence
        with self._files.reading("the evidence of divisions"):
            return DivisionEvidence(**{name: table.read_all(name) for name in EVIDENCE})

    def write_anchor(self, anchor: StoredAnchor) -> None:
        """Store what a person saw on an anchor, bit for bit."""
        (column,) = self._frames.columns_of([anchor.object_id])
        with self._files.writing(f"write frame {anchor.frame_index}"):
            self.history.cover()
            self._files.anchors.write(anchor, column)

    def remove_anchors(
        self, object_ids: Iterable[int], frames: Collection[int]
    ) -> None:
        """Forget what a person saw of objects on frames; unknown objects have none."""
        known = [object_id for object_id in object_ids if object_id in self._frames]
        if known and frames:
            with self._files.writing("remove anchors"):
                self.history.cover()
                self._files.anchors.remove(
                    self._frames.columns_of(known), frozenset(frames)
                )

    def read_anchors(self) -> list[StoredAnchor]:
        """Return all stored anchors, by object and frame."""
        with self._files.reading("the anchors"):
            return sorted(
                self._files.anchors.read(),
                key=lambda anchor: (anchor.object_id, anchor.frame_index),
            )

    def add_objects(self, objects: Iterable[PromptedObject]) -> None:
        """Make room for objects that were not known when the store was created.

        Raises
        ------
        OutputError
            If an id does not fit into the label image.
        """
        with self._files.writing("add objects"):
            self._files.add_objects(list(objects))

    def save_session(self, document: SessionDocument) -> None:
        """Save the session by one atomic write; names and mothers go to the labels."""
        with self._files.writing("save the session"):
            self._files.save_session(document)

    def read_session(self) -> SessionDocument:
        """Return the session: as saved, and what was done since.

        The command line saves none; it is made of what the store knows then, and its
        remarks say what could not be restored.
        """
        with self._files.reading("the session"):
            document = self._files.read_session()
            lost = [
                f"object {one} on frame {at}"
                for one, at in self._files.anchors.damaged()
            ]
        if not lost:
            return document
        remark = (
            f"What was seen there is damaged and is predicted anew: {', '.join(lost)}"
        )
        return document.model_copy(update={"remarks": (*document.remarks, remark)})

    def commit(self, progress: Progress, snapshot: Arrays | None) -> None:
        """Make all writes so far durable, then record that they are whole.

        Raises
        ------
        OutputError
            If the disk refuses; what the last commit recorded is still true.
        """
        with self._files.writing("record the progress"):
            self._files.record(progress, snapshot)
            self.history.bound()

    def sync_commits(self) -> None:
        """Let `commit` and `finish` wait for the disk, so that power may be lost."""
        self._files.sync_commits()

    def read_progress(self) -> tuple[Progress, Arrays] | None:
        """Return what the last `commit` recorded, or None."""
        with self._files.reading("the progress"):
            return self._files.journal.read()

    def mend(self) -> str | None:
        """Let the run go back if what it wrote is not what lies on disk.

        Files are hashed, one after the other, and nothing is decoded.

        Returns
        -------
        str or None
            What is damaged, in words; None if nothing is.

        Raises
        ------
        OutputError
            If masklets are damaged that the run cannot make again.
        """
        with self._files.writing("check the labels"):
            is_merge = bool(self.provenance.settings.get("merge"))
            return mend(self._files, is_merge=is_merge)

    def finish(self) -> None:
        """Mark the run complete; inside an image, build as many levels as it has."""
        with self._files.writing("finish the labels"):
            self._files.finish()

    def reopen(self) -> None:
        """Take back `finish`, because the labels are about to change.

        Writing does so by itself; a viewer does it before somebody paints on `array`.
        """
        with self._files.writing("reopen the labels"):
            self._files.reopen()

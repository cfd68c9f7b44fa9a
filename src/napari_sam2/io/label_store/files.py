"""The files of one label group, and what is done to several of them at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from zarr.core.buffer import Buffer

from napari_sam2.errors import OutputError
from napari_sam2.interfaces import Arrays, Progress
from napari_sam2.io.history.history import History
from napari_sam2.io.history.kept_chunks import parse_chunk_key
from napari_sam2.io.label_store.anchor_arrays import AnchorArrays
from napari_sam2.io.label_store.frame_arrays import FrameArrays
from napari_sam2.io.label_store.group import (
    RUN,
    complete,
    describe,
    drop_pyramid,
    layout_of,
    open_label_group,
    write_provenance,
)
from napari_sam2.io.label_store.progress_journal import WHOLE, ProgressJournal
from napari_sam2.io.ome_zarr.metadata import LabelledObject, ome_metadata, read_objects
from napari_sam2.io.ome_zarr.parent import Parent
from napari_sam2.io.ome_zarr.pyramid import differing_frames
from napari_sam2.io.ome_zarr.watched_store import WatchedStore
from napari_sam2.io.ome_zarr.zarr_nodes import (
    array_at,
    attributes_of,
    group_at,
    replace_attributes,
)
from napari_sam2.io.prompts.bounds import PromptBounds
from napari_sam2.io.sessions.book_json import BookWriter
from napari_sam2.io.sessions.document import SessionDocument, SessionFile
from napari_sam2.io.sessions.from_run import RunFacts, session_of_run
from napari_sam2.io.sessions.mask_files import MaskFiles
from napari_sam2.io.sessions.provenance import Provenance
from napari_sam2.io.storage import RESTORE, reading_errors, storage_errors
from napari_sam2.prompts import PromptedObject
from napari_sam2.session.book.state import BookState, ObjectState


class LabelFiles:
    """What an `OmeZarrLabelStore` is made of.

    Parameters
    ----------
    parent, name, mode
        The OME-Zarr folder, the label group in it, and whether it may change.

    Attributes
    ----------
    group, run
        The label group, and the group of its run.
    layout
        How frames lie in the label image.
    frames, anchors, masks, journal, history
        Arrays of all frames, anchors, drawn masks, progress, undo.
    folder
        Of the label group.
    is_complete
        Whether `finish` was called and nothing was written since.
    """

    def __init__(self, parent: Parent, name: str, mode: Literal["r", "r+"]) -> None:
        self._parent = parent
        self.group = open_label_group(parent, name, mode)
        self.run = group_at(self.group, RUN)
        self.layout = layout_of(attributes_of(self.group))
        self.folder = parent.labels_folder() / name
        self.masks = MaskFiles(self.run, self._labels_of)
        books = BookWriter(self.masks)
        frame_count = array_at(self.run, WHOLE).shape[0]
        # Rows and columns come last, whatever the other axes are.
        height, width = array_at(self.group, "0").shape[-2:]
        bounds = PromptBounds((height, width), frame_count)
        self._session = SessionFile(self.run, books, bounds)
        self.history = History(
            self, self.run, self.folder, books, self.layout.frame_dimension
        )
        if mode == "r+":
            distrusted = self.history.recover()
        ids = attributes_of(self.run)["object_ids"]
        _check_ids(ids, self.folder)
        self.frames = FrameArrays(self.group, self.run, ids, self.layout)
        self.anchors = AnchorArrays(group_at(self.run, "anchors"), ids)
        self.journal = ProgressJournal(self.run)
        if mode == "r+":
            self.distrust(distrusted)
            _watch(self.group, f"labels/{name}/", self)
        self.is_complete = self.journal.is_complete

    @property
    def objects(self) -> list[LabelledObject]:
        """All objects that the label image lists."""
        with self.reading("the list of its objects"):
            return read_objects(attributes_of(self.group))

    @property
    def merging(self) -> Provenance | None:
        """What was about to add objects when it was killed; None if nothing was."""
        begun = self.journal.merge
        with self.reading("what was to be added"):
            return None if begun is None else Provenance.model_validate(begun)

    @property
    def provenance(self) -> Provenance:
        """What made the masklets."""
        with self.reading("what made the masklets"):
            made_by = attributes_of(self.group)[RUN]["provenance"]
            return Provenance.model_validate(made_by)

    def writing(self, action: str) -> AbstractContextManager[None]:
        """Turn errors of the disk into words."""
        return storage_errors(self._parent.path, action)

    def replacing_labels(self) -> AbstractContextManager[object]:
        """Keep those away who read labels in other threads."""
        return self.frames.labels_lock

    def reading(self, what: str) -> AbstractContextManager[None]:
        """Turn errors of the disk, and of damaged files, into words."""
        return reading_errors(self.folder, what)

    def prepare(self) -> None:
        """Get ready for a write: not finished, and undone with a step of its own."""
        self.history.cover()
        self.reopen()

    def settle(self) -> None:
        """Write out what waits in memory."""
        self.frames.settle()

    def record(self, progress: Progress, snapshot: Arrays | None) -> None:
        """Make all writes so far durable, then record that they are whole."""
        whole = self.frames.whole
        new = whole.new
        self.settle()
        count = self.anchors.count if progress.plan_key else 0
        self.journal.record(progress, snapshot, whole.count, new, count, self.sync)
        self.is_complete = False

    def unfinish(self) -> None:
        """Prepare for frames that change: nothing is finished, nothing resumes."""
        self.reopen()
        self.journal.forget()

    def differing_levels(self) -> Iterator[tuple[int, int]]:
        """Yield coarser levels, and frames on which they are not what was built."""
        level_count = len(
            ome_metadata(attributes_of(self.group))["multiscales"][0]["datasets"]
        )
        for number in range(1, level_count):
            for frame_index in differing_frames(self.group, number, self.layout):
                yield number, frame_index

    def begin_merge(
        self, objects: Sequence[PromptedObject], provenance: Provenance
    ) -> None:
        """Get ready for a run that adds objects; may be repeated after a kill."""
        self.history.cover()
        self.journal.begin_merge(provenance.model_dump(mode="json"))
        self.is_complete = False
        drop_pyramid(self.group, self._parent)
        self.add_objects(objects)
        write_provenance(self.group, provenance, is_addition=True)
        self.journal.end_merge()

    def go_back(self, damaged: Sequence[int], *, to_anchors: bool) -> bool:
        """Forget damaged frames, and how far the run had come with them.

        Parameters
        ----------
        damaged
            Frames that are not what was written.
        to_anchors
            Whether anchors are not, so that all are made again.

        Returns
        -------
        bool
            Whether it goes on from the commit before; else it begins again.
        """
        self.prepare()
        whole_count = self.frames.whole.count
        goes_on = not to_anchors and self.journal.step_back(damaged, whole_count)
        if not goes_on:
            self.journal.forget()
        if to_anchors:
            shape = (len(self.frames.whole.read()), len(self.frames.object_ids))
            self.anchors = AnchorArrays.create(
                group_at(self.run, "anchors"),
                self.frames.object_ids,
                (*shape, *self.frames.logits.mask_shape),
                is_tiled=not self.frames.tiles.layout.is_whole,
            )
        self.frames.clear(damaged)
        return goes_on

    def reopen(self) -> None:
        """Take back `finish`."""
        if self.is_complete:
            self.journal.reopen()
            drop_pyramid(self.group, self._parent)
            self.is_complete = False

    def finish(self) -> None:
        """Mark the run complete, with a pyramid if the image has one."""
        self.settle()
        ids = self.frames.object_ids
        spans = self.frames.scores.frame_spans()
        by_id = {ids[column]: span for column, span in spans.items()}
        complete(self.group, self._parent, by_id)
        self.sync()
        self.journal.close(self.frames.whole.count)
        self.sync()
        self.is_complete = True

    def sync_commits(self) -> None:
        """Let `sync` wait for the disk from now on."""
        store = self.group.store
        if isinstance(store, WatchedStore):
            store.sync_from_now_on(self.group.path)

    def sync(self) -> None:
        """Wait for the disk, if `sync_commits` was called."""
        store = self.group.store
        if isinstance(store, WatchedStore):
            store.sync()

    def sweep(self, name: str) -> None:
        """Clear up after a killed process."""
        self._parent.list_label(name)
        self._parent.sweep(name)
        self.journal.sweep()
        if not self.is_complete:
            # Killed while finishing, it may list levels that will soon be stale.
            drop_pyramid(self.group, self._parent)

    def add_objects(self, objects: Sequence[PromptedObject]) -> None:
        """Make columns for new objects, and list those that are not listed."""
        listed = {labelled.object_id: labelled for labelled in self.objects}
        unlisted = [
            labelled for labelled in objects if labelled.object_id not in listed
        ]
        if not unlisted:
            return
        self.reopen()
        new = [
            labelled.object_id
            for labelled in unlisted
            if labelled.object_id not in self.frames
        ]
        if new:
            # The list of ids comes last: until then nobody looks at the new columns.
            self.frames.add_columns(new)
            self.anchors.resize(self.frames.object_ids)
            attributes = attributes_of(self.run)
            attributes["object_ids"] = self.frames.object_ids
            replace_attributes(self.run, attributes)
        self._describe([*listed.values(), *map(_labelled, unlisted)])

    @property
    def has_session(self) -> bool:
        """Whether somebody saved one."""
        return self._session.exists

    def save_session(self, document: SessionDocument) -> None:
        """Save the session; names and mothers go to the label image."""
        self.history.renew_after(document.book)
        self._session.write(document, self.history.position)
        self._list(document.book)

    def read_session(self) -> SessionDocument:
        """Return the session as it was saved, or else made of the run, up to date."""
        saved = self._session.read()
        document, position = (self._of_run(), 0) if saved is None else saved
        book = self.history.newer(document.book, position)
        # The command line may have added objects since.
        known = {state.object_id for state in (*document.book.objects, *book.objects)}
        added = [
            labelled for labelled in self.objects if labelled.object_id not in known
        ]
        book = book.with_objects(
            ObjectState(labelled.object_id, labelled.name, labelled.parent)
            for labelled in added
        )
        return document.model_copy(update={"book": book})

    def read_book(self) -> BookState:
        """Return the objects as the store knows them."""
        return self.read_session().book

    def distrust(self, frames: Collection[int]) -> None:
        """Say that nobody knows what the chunks of frames, and anchors there, hold."""
        if frames:
            self.frames.digests.distrust(frames)
            self.anchors.distrust(frames)

    def adopt(self, book: BookState) -> None:
        """Go on from what is on disk now, with this book."""
        self.frames.forget()
        self.anchors.forget()
        saved = self._session.read()
        document = self._of_run() if saved is None else saved[0]
        self._session.write(
            document.model_copy(update={"book": book}), self.history.position
        )
        self._list(book)

    def _labels_of(self, frame_index: int) -> np.ndarray:
        return np.asarray(self.frames.labels[frame_index])

    def _of_run(self) -> SessionDocument:
        return session_of_run(
            RunFacts(
                self.provenance,
                self.objects,
                # Of a tile, nobody enlarges them to the frame.
                list(self.anchors.read()) if self.frames.tiles.layout.is_whole else [],
                self._labels_of,
            )
        )

    def _list(self, book: BookState) -> None:
        """Let the label image list the objects of a book, if it lists others."""
        known = {labelled.object_id: labelled for labelled in self.objects}
        wanted = []
        for state in book.objects:
            one = known.get(state.object_id, LabelledObject(state.object_id))
            # Objects without a result have no column: they are listed with their first.
            if state.object_id in self.frames:
                wanted.append(replace(one, name=state.name, parent=state.parent))
        if wanted != [known[object_id] for object_id in sorted(known)]:
            self._describe(wanted)

    def _describe(self, objects: Iterable[LabelledObject]) -> None:
        level_count = 1
        if self.is_complete and self._parent.image is not None:
            level_count = len(self._parent.image.levels)
        describe(self.group, self._parent, objects, level_count)


def _check_ids(ids: Any, where: Path) -> None:
    """Refuse what cannot be the ids of the columns, whoever has changed them."""
    is_list = isinstance(ids, list) and all(type(one) is int for one in ids)
    if not is_list or min(ids, default=1) < 1 or len({*ids}) < len(ids):
        raise OutputError(f"{where}: the ids of its objects are damaged; {RESTORE}")


def _labelled(one: PromptedObject) -> LabelledObject:
    return LabelledObject(one.object_id, one.name, one.parent)


def _watch(group: zarr.Group, prefix: str, files: LabelFiles) -> None:
    """Let the history see each chunk of a label group before it changes.

    Of frames, what the chunk will hold is noted.
    """

    def before_change(key: str, value: Buffer | None) -> None:
        if not key.startswith(prefix):
            return
        chunk = parse_chunk_key(key.removeprefix(prefix))
        if chunk is not None:
            files.history.preserve(chunk)
            files.frames.digests.note(chunk, value)

    store = group.store
    if isinstance(store, WatchedStore):
        store.before_change = before_change

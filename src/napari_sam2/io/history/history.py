"""Undo and redo of everything, on disk: books, strokes, object edits, propagations.

A *step* is one thing that a person did: the change of the book, and all chunks that
were replaced because of it. Before a chunk is replaced for the first time within a
step, it gets a second name in a mirror (see `kept_chunks`); undo gives it back its
first. So nothing is decoded or copied, and two thousand frames take under a second.

`history/<number>` holds the step of that number. The attribute `ledger` of `history`
says which steps are done and which undone, and is replaced by one atomic rename; a step
that it does not name does not exist. An undo that was killed is repeated when the store
is opened again.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, get_args

import zarr
from pydantic import ValidationError

from napari_sam2.errors import OutputError
from napari_sam2.io.history.kept_chunks import TOUCHED, ChunkKey, KeptChunks, Side
from napari_sam2.io.history.ledger import Ledger, Step
from napari_sam2.io.ome_zarr.zarr_nodes import (
    PARTIAL,
    attributes_of,
    group_at,
    remove_partial_files,
    replace_attributes,
)
from napari_sam2.io.sessions.book_json import BookWriter, ObjectChange
from napari_sam2.io.storage import DAMAGED
from napari_sam2.session.book.state import BookState

HISTORY = "history"
LEDGER, STEP = "ledger", "step"
ELSEWHERE = "changes made outside of the session"
MAX_STEPS = 200
SLACK = 20
"""Steps above the limit that are borne, so that not every click cleans up."""
MAX_BYTES = 4 * 2**30


@dataclass(frozen=True, slots=True, eq=False)
class Returned:
    """What an undo or a redo brought back.

    Attributes
    ----------
    text
        What was undone or redone, for people.
    frames
        Frames whose labels, logits or anchors changed, ascending.
    """

    text: str
    state: BookState
    frames: tuple[int, ...]


class Journaled(Protocol):
    """The store, as its history sees it."""

    def writing(self, action: str) -> AbstractContextManager[None]:
        """Turn errors of the disk into words."""

    def replacing_labels(self) -> AbstractContextManager[object]:
        """Keep those away who read labels in other threads."""

    def settle(self) -> None:
        """Write out what waits in memory."""

    def unfinish(self) -> None:
        """Prepare for frames that change: nothing is finished, nothing resumes."""

    def read_book(self) -> BookState:
        """Return the objects as the store knows them."""

    def adopt(self, book: BookState) -> None:
        """Go on from what is on disk now, with this book."""

    def distrust(self, frames: Collection[int]) -> None:
        """Say that nobody knows what the chunks of frames, and anchors there, hold."""


class History:
    """The steps of a label group.

    Parameters
    ----------
    folder
        Folder of the label group.
    frame_dimension
        The one of the label image along which frames run.
    """

    def __init__(
        self,
        owner: Journaled,
        run: zarr.Group,
        folder: Path,
        books: BookWriter,
        frame_dimension: int = 0,
    ) -> None:
        self._frame_dimension = frame_dimension
        self._owner = owner
        self._run = run
        self._folder = folder
        self._books = books
        self._steps: zarr.Group | None = None
        self._open: KeptChunks | None = None
        self._before: BookState | None = None
        self._after: BookState | None = None
        self._changes: list[ObjectChange] = []
        self._sizes: dict[int, int] = {}
        self._ledger = self._read_ledger()

    @property
    def undo_text(self) -> str | None:
        """What an undo would take back; None if there is nothing."""
        ledger = self._ledger
        return ledger.texts[ledger.done[-1]] if ledger.done else None

    @property
    def redo_text(self) -> str | None:
        """What a redo would bring back; None if there is nothing."""
        ledger = self._ledger
        return ledger.texts[ledger.undone[-1]] if ledger.undone else None

    @property
    def position(self) -> int:
        """Number of the last step that holds; 0 before the first."""
        return self._ledger.done[-1] if self._ledger.done else 0

    @property
    def is_open(self) -> bool:
        """Whether what is written now belongs to the last step."""
        return self._open is not None

    @property
    def book(self) -> BookState:
        """The book as the worker knows it: at the end of the last step."""
        return self._owner.read_book() if self._after is None else self._after

    def begin(self, text: str, before: BookState, after: BookState) -> None:
        """Open a step: what is written from now on belongs to it, until the next.

        Closes the step before, and drops steps that were undone.

        Parameters
        ----------
        text
            What the person did, for the undo menu.
        before, after
            The book; what changed between steps without being one (frames that are no
            longer stale) is added to the step before.

        Raises
        ------
        OutputError
            If the disk refuses.
        """
        with self._owner.writing("record a step"):
            self._end_restoring()
            self.renew_after(before)
            self._owner.settle()
            self._close()
            ledger = self._ledger
            number = ledger.next_number
            step = Step.model_construct(changes=self._books.changes(before, after))
            self._group().create_group(
                str(number), attributes={STEP: step.model_dump_json()}, overwrite=True
            )
            texts = {done: ledger.texts[done] for done in ledger.done} | {number: text}
            self._record(
                Ledger(done=[*ledger.done, number], next_number=number + 1, texts=texts)
            )
            self._remove(ledger.undone)
            self._open = self._chunks(number)
            self._before, self._after, self._changes = before, after, step.changes
        self.bound()

    def renew_after(self, book: BookState) -> None:
        """Say what the book is like at the end of the open step."""
        if self._open is None or self._before is None or book is self._after:
            return
        with self._owner.writing("record a step"):
            changes = self._books.changes(self._before, book)
            if changes != self._changes:
                group = group_at(self._group(), str(self.position))
                step = Step.model_construct(changes=changes)
                replace_attributes(group, {STEP: step.model_dump_json()})
        self._after, self._changes = book, changes

    def cover(self) -> None:
        """Open a step for whoever writes without one, if there are others.

        Undoing a step below would otherwise mix what it knows with what it does not.
        """
        if self._open is None and (self._ledger.done or self._ledger.undone):
            self.begin(ELSEWHERE, self.book, self.book)

    def preserve(self, chunk: ChunkKey) -> None:
        """Keep a chunk that is about to change."""
        if self._open is not None:
            self._open.preserve(chunk)

    def undo(self, current: BookState | None = None) -> Returned | None:
        """Take the last step back; None if there is none.

        Parameters
        ----------
        current
            The book as it is, where it may have changed since it was last saved.

        Raises
        ------
        OutputError
            If the disk refuses; the next opening of the store ends the undo.
        """
        ended = self._ended("before")
        if ended is not None:
            return ended
        done = self._ledger.done
        return self._restore(done[-1], "before", current) if done else None

    def redo(self, current: BookState | None = None) -> Returned | None:
        """Do the step again that was undone last; None if there is none.

        Parameters
        ----------
        current
            The book as it is, where it may have changed since it was last saved.

        Raises
        ------
        OutputError
            If the disk refuses; the next opening of the store ends the redo.
        """
        ended = self._ended("after")
        if ended is not None:
            return ended
        undone = self._ledger.undone
        return self._restore(undone[-1], "after", current) if undone else None

    def newer(self, book: BookState, position: int) -> BookState:
        """Bring a book that was saved at a position up to the present one."""
        for number in self._ledger.undone:
            if number <= position:
                book = self._books.undone(book, self._step(number).changes)
        for number in self._ledger.done:
            # The step that it was saved at may have taken in more since.
            if number >= position:
                book = self._books.redone(book, self._step(number).changes)
        return book

    def bound(self) -> None:
        """Forget the oldest steps where there are too many, or they are too large.

        Cheap enough to be asked between the frames of a run, which is one large step.
        """
        is_long = len(self._ledger.done) > MAX_STEPS + SLACK
        if is_long or sum(self._byte_counts().values()) > MAX_BYTES:
            self.compact(MAX_STEPS, MAX_BYTES)

    def compact(self, max_steps: int = MAX_STEPS, max_bytes: int = MAX_BYTES) -> None:
        """Forget the oldest steps until few enough, and small enough, are left."""
        done = list(self._ledger.done)
        sizes = self._byte_counts()
        gone = []
        # The open step is never forgotten.
        while len(done) > 1 and (
            len(sizes) > max_steps or sum(sizes.values()) > max_bytes
        ):
            number = done.pop(0)
            sizes.pop(number)
            gone.append(number)
        if gone:
            kept = (*done, *self._ledger.undone)
            texts = {number: self._ledger.texts[number] for number in kept}
            with self._owner.writing("forget old steps"):
                self._record(
                    self._ledger.model_copy(update={"done": done, "texts": texts})
                )
                self._remove(gone)

    def faults(self) -> Iterator[str]:
        """Yield what is wrong with the steps, in words."""
        for number in (*self._ledger.done, *self._ledger.undone):
            try:
                self._step(number)
                chunks = self._chunks(number)
                count = sum(chunks.damaged(side) for side in get_args(Side))
            except OutputError as error:
                yield str(error)
                continue
            if count:
                yield f"{self._path(number)}: {count} files are not what was kept"

    def recover(self) -> tuple[int, ...]:
        """End what a killed process began, and sweep what it left.

        Returns
        -------
        tuple of int
            Frames that were put in place without digests.
        """
        ledger = self._ledger
        changed: tuple[int, ...] = ()
        if not (self._folder / self._run.basename / HISTORY).is_dir():
            return changed
        if ledger.restoring is not None:
            remove_partial_files(self._folder)
            number, side = ledger.restoring
            chunks = self._chunks(number)
            chunks.restore(side)
            changed = chunks.frames_without_digests()
            self._record(ledger.after_restoring())
        known = {str(number) for number in (*ledger.done, *ledger.undone)}
        for folder in self._path(0).parent.iterdir():
            # What is named otherwise, a person put there.
            is_ours = folder.name.removesuffix(PARTIAL).isdecimal()
            if folder.is_dir() and is_ours and folder.name not in known:
                shutil.rmtree(folder)
        for folder in self._path(0).parent.glob(f"*/*{PARTIAL}"):
            if folder.is_dir():
                shutil.rmtree(folder)
        return changed

    def _restore(self, number: int, side: Side, current: BookState | None) -> Returned:
        with self._owner.writing("undo" if side == "before" else "redo"):
            self._step(number)
            self._owner.settle()
            chunks = self._chunks(number)
            self._refuse_damaged(number, chunks.damaged(side))
            if current is not None:
                self.renew_after(current)
            self._after = current or self.book
            self._close()
            if chunks.frames():
                self._owner.unfinish()
            if side == "before":
                chunks.keep_after()
                self._sizes.pop(number, None)  # both sides are kept from now on
            self._record(self._ledger.model_copy(update={"restoring": (number, side)}))
            return self._put_in_place(number, side, chunks)

    def _ended(self, side: Side) -> Returned | None:
        """End what the disk refused; return it if that is what is asked for now."""
        restoring = self._ledger.restoring
        with self._owner.writing("undo"):
            ended = self._end_restoring()
        return ended if restoring is not None and restoring[1] == side else None

    def _end_restoring(self) -> Returned | None:
        """End an undo or a redo that the disk refused in the middle, if there is one.

        What was kept of both sides is whole; keeping a half restored one would not be.
        """
        restoring = self._ledger.restoring
        if restoring is None:
            return None
        return self._put_in_place(*restoring, self._chunks(restoring[0]))

    def _put_in_place(self, number: int, side: Side, chunks: KeptChunks) -> Returned:
        step = self._step(number)
        with self._owner.replacing_labels():
            chunks.restore(side)
        turn = self._books.undone if side == "before" else self._books.redone
        book = turn(self.book, step.changes)
        self._record(self._ledger.after_restoring())
        self._after = book
        self._owner.adopt(book)
        self._owner.distrust(chunks.frames_without_digests())
        return Returned(self._ledger.texts[number], book, chunks.frames())

    def _byte_counts(self) -> dict[int, int]:
        """Return how much each step keeps; a closed one is measured once."""
        counts = {}
        for number in (*self._ledger.done, *self._ledger.undone):
            if self._open is not None and number == self.position:
                counts[number] = self._open.kept_bytes
                continue
            if number not in self._sizes:
                self._sizes[number] = self._chunks(number).byte_count()
            counts[number] = self._sizes[number]
        return counts

    def _chunks(self, number: int) -> KeptChunks:
        return KeptChunks(self._folder, self._path(number), self._frame_dimension)

    def _close(self) -> None:
        if self._open is not None:
            self._sizes[self.position] = self._open.kept_bytes
        self._open = None
        self._before = None

    def _group(self) -> zarr.Group:
        if self._steps is None:
            self._steps = self._run.require_group(HISTORY)
        return self._steps

    def _path(self, number: int) -> Path:
        return self._folder / self._run.basename / HISTORY / str(number)

    def _read_ledger(self) -> Ledger:
        node = self._run.get(HISTORY)
        attributes = attributes_of(node) if isinstance(node, zarr.Group) else {}
        if LEDGER not in attributes:
            # A step is named before it keeps anything: these are not left-overs.
            if any(self._path(0).parent.glob(f"*/*{TOUCHED}")):
                raise self._damaged("the list of its steps is missing")
            return Ledger()
        try:
            ledger = Ledger.model_validate_json(str(attributes[LEDGER]))
        except ValidationError as error:
            raise self._damaged("the list of its steps cannot be read") from error
        folders = [one for one in self._path(0).parent.iterdir() if one.is_dir()]
        for folder in (one for one in folders if one.name.isdecimal()):
            # One more may have been begun, and kept nothing, when a process was killed.
            number, is_empty = int(folder.name), not any(folder.glob(f"*{TOUCHED}"))
            if number > ledger.next_number or (
                number == ledger.next_number and not is_empty
            ):
                raise self._damaged("the list of its steps is older than they are")
        return ledger

    def _record(self, ledger: Ledger) -> None:
        replace_attributes(self._group(), {LEDGER: ledger.model_dump_json()})
        self._ledger = ledger

    def _step(self, number: int) -> Step:
        try:
            group = self._run[f"{HISTORY}/{number}"]
            return Step.model_validate_json(str(group.attrs[STEP]))
        except (ValidationError, *DAMAGED) as error:
            raise OutputError(
                f"{self._path(number)}: this step is damaged or missing, so nobody "
                "knows what it did; restore its folder from a copy, or move the folder "
                f"{HISTORY!r} elsewhere, and undo begins anew"
            ) from error

    def _refuse_damaged(self, number: int, count: int) -> None:
        if count:
            raise OutputError(
                f"{self._path(number)}: {count} of the files that this step kept are "
                "damaged or missing, so it cannot be taken back or done again; what is "
                "there now stays, and you may go on"
            )

    def _remove(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._sizes.pop(number, None)
            folder = self._path(number)
            if not folder.is_dir():
                continue
            aside = folder.with_name(f"{number}{PARTIAL}")
            folder.rename(aside)
            shutil.rmtree(aside)

    def _damaged(self, reason: str) -> OutputError:
        return OutputError(
            f"{self._path(0).parent}: the history is damaged: {reason}; restore this "
            "folder from a copy, or move it elsewhere, and undo begins anew: the "
            "masklets are not concerned"
        )

"""The verbs of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from napari_sam2.engine.edits.edits import Edits, FrameEdits
from napari_sam2.engine.edits.steps import Steps
from napari_sam2.engine.events import (
    Busy,
    Event,
    FrameChanged,
    Hovered,
    Pictured,
    Request,
    TracksMade,
    Warmed,
)
from napari_sam2.engine.movie.image_input import small_picture
from napari_sam2.engine.orders import Order
from napari_sam2.engine.runs.comparison import Comparisons
from napari_sam2.engine.runs.runs import Runs
from napari_sam2.engine.runs.search import Search
from napari_sam2.engine.workspace.loading import embed
from napari_sam2.engine.workspace.reopening import Reopening
from napari_sam2.engine.workspace.workspace import Workspace
from napari_sam2.errors import InputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.label_store.tracks import table_of, track_rows
from napari_sam2.io.sessions.document import SessionDocument
from napari_sam2.prompts import FramePrompt
from napari_sam2.session.book.prompt_book import Edit
from napari_sam2.session.book.state import BookState
from napari_sam2.session.planning.plan import Direction
from napari_sam2.tracking.postprocess import label_image

WARM_REACH = 16
"""Frames on each side of the cursor whose embeddings are prepared, if they fit."""

TOLD_EVERY = 10
"""Between so many frames that are measured, more urgent things are done."""


class TrackingEngine:
    """Answers prompts and tracks, for one dock.

    Each verb is a generator of `Event`; what is written is durable when it has ended.

    Parameters
    ----------
    tell
        Told in words how a download goes, from the worker thread.

    Attributes
    ----------
    workspace
        What is open.
    search
        Finds what nobody prompted; its verbs are generators of `Event`, too.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.workspace = Workspace(tell)
        self._steps = Steps(self.workspace)
        self._edits = Edits(self.workspace, self._steps)
        self._runs = Runs(self.workspace, self._steps)
        self._comparisons = Comparisons(self.workspace, self._steps)
        self.search = Search(self.workspace)
        self._reopening = Reopening(self.workspace)

    def store_of(self, request: Request) -> OmeZarrLabelStore | None:
        """Return the masklets of a request, if they were opened."""
        masklets = self.workspace.masklets(request)
        return None if masklets is None else masklets.store

    def close(self) -> None:
        """Let other windows and runs write what was open; nothing may follow."""
        self._reopening.close()
        self.workspace.close()

    def forget(self, request: Request) -> Iterator[Event]:
        """Close masklets, and their movie if it is open: its layer is gone for good."""
        self._comparisons.forget()
        self.workspace.forget(request)
        yield from ()

    # --- Before the first prompt

    def prepare(self, request: Request) -> Iterator[Event]:
        """Load the model and open the movie, so that the first click is answered soon.

        Raises
        ------
        InputError, ModelError
            If one of them cannot be used.
        """
        yield from self.workspace.prepare(request)

    def warm(
        self,
        request: Request,
        frame_index: int,
        is_wanted: Callable[[], bool],
        reach: int = WARM_REACH,
    ) -> Iterator[Event]:
        """Prepare the embeddings of frames around one, the nearest first.

        Parameters
        ----------
        is_wanted
            False as soon as they look at another frame.
        reach
            How many frames on each side, if they fit.
        """
        if not self.workspace.has_movie(request):
            return
        movie = self.workspace.movie
        count, embeddings = movie.source.frame_count, movie.predictor.network.embeddings
        for done, frame in enumerate(_outwards(frame_index, count, reach)):
            fitting = embeddings.fitting()
            if not is_wanted() or (fitting is not None and done >= fitting):
                return
            read = movie.source.read(frame)
            embed(movie.predictor, frame, read, movie.answers.tile)
            yield Warmed(frame)

    def picture(self, request: Request, frame_index: int) -> Iterator[Event]:
        """Show a frame as the model sees it, made small."""
        image = request.image
        picture = small_picture(image.open(), frame_index, region=image.axes.region)
        yield Pictured(frame_index, picture)

    # --- Prompts and objects

    def apply(
        self,
        request: Request,
        edit: Edit,
        is_wanted: Callable[[int], bool],
        shown_frame: int,
    ) -> Iterator[Event]:
        """Record an edit of the book, and let the masklets follow from it.

        Prompted frames are answered, the shown one first, and shown before they are
        written. What was removed is taken out of all frames.

        Parameters
        ----------
        is_wanted
            False for a frame that a later edit is about: it is answered there.
        """
        yield from self._edits.apply(request, edit, is_wanted, shown_frame)

    def merge(
        self, request: Request, edit: Edit, pair: tuple[int, int], shown_frame: int
    ) -> Iterator[Event]:
        """Record that an object took over another, and give it the other's masks.

        Parameters
        ----------
        pair
            Ids of the object that stays and of the one that goes.
        """
        yield from self._edits.merge(request, edit, pair, shown_frame)

    def hover(
        self,
        request: Request,
        book: BookState,
        prompt: FramePrompt,
        is_wanted: Callable[[], bool],
    ) -> Iterator[Event]:
        """Show what a prompt would give; nothing is written or remembered."""
        if not is_wanted() or not self.workspace.has_movie(request):
            return
        movie, masklets = self.workspace.movie, self.workspace.masklets(request)
        answers = movie.answers
        if masklets is None:
            answers = self.workspace.first_answers(request, prompt)
            step = answers.answer(movie.source, (prompt,), {}, {})
        else:
            step = FrameEdits(masklets, movie, book).preview(prompt)
        shape, layout = movie.source.frame_shape, answers.predictor.layout
        windows, region = layout.windows(step.tiles), layout.region
        mask = label_image([1], step.logits, shape, np.uint8, windows, region) > 0
        yield Hovered(prompt.frame_index, prompt.object_id, mask)

    # --- Tracking

    def track(self, request: Request, book: BookState, order: Order) -> Iterator[Event]:
        """Track objects through the movie; goes on where an equal run was stopped.

        Closing the generator keeps what was written.

        Raises
        ------
        InputError
            If nothing is prompted.
        """
        yield from self.workspace.prepare(request)
        yield from self.workspace.open_masklets(request, book)
        history = self.workspace.opened(request).store.history
        # Somebody may have gone on while it waited; it is about the last step.
        present = history.book if order.joins_step and history.is_open else book
        yield from self._edits.resolve(request, present)
        yield from self._runs.run(request, present, order)

    def compare(
        self, request: Request, book: BookState, object_id: int, frame_index: int
    ) -> Iterator[Event]:
        """Track the gap around a frame both ways; write nothing.

        Raises
        ------
        InputError
            If the object has no two prompts around the frame.
        """
        yield from self.workspace.prepare(request)
        yield from self.workspace.open_masklets(request, book)
        yield from self._edits.resolve(request, book)
        yield from self._comparisons.run(request, book, (object_id, frame_index))

    def keep_direction(
        self, request: Request, edit: Edit, way: Direction
    ) -> Iterator[Event]:
        """Write the masks of one way of the last comparison, as a step of its own.

        Raises
        ------
        InputError
            If there is no comparison.
        """
        yield from self._comparisons.keep(request, edit, way)

    def forget_comparison(self) -> Iterator[Event]:
        """Let go of the last comparison."""
        self._comparisons.forget()
        yield from ()

    def tracks(self, request: Request, book: BookState) -> Iterator[Event]:
        """Measure where all objects went, frame by frame.

        Raises
        ------
        InputError
            If there are no masklets.
        """
        store = self.store_of(request)
        if store is None:
            raise InputError("There are no masks to make tracks of: click on a cell")
        rows: list[np.ndarray] = []
        for frame_index in range(store.frame_count):
            rows.extend(track_rows([(frame_index, store.read_labels(frame_index))]))
            if frame_index % TOLD_EVERY == 0:
                share = f"frame {frame_index} of {store.frame_count}"
                yield Busy(f"Measuring tracks: {share} …")
        parents = {state.object_id: state.parent for state in book.objects}
        yield TracksMade(table_of(store, rows, parents))

    # --- The session

    def undo(self, request: Request) -> Iterator[Event]:
        """Take the last step back."""
        yield from self._steps.undo(request)

    def redo(self, request: Request) -> Iterator[Event]:
        """Do the step again that was undone last."""
        yield from self._steps.redo(request)

    def read_session(self, folder: Path) -> Iterator[Event]:
        """Say what session is in a folder; `adopt` goes on with it."""
        yield from self._reopening.read(folder)

    def adopt(
        self, request: Request, book: BookState, *, accepts_movie: bool = False
    ) -> Iterator[Event]:
        """Go on with the session that was read from the request's folder.

        Raises
        ------
        OtherMovieError
            If it was made of another movie, and that is not accepted.
        """
        yield from self._reopening.adopt(request, book, accepts_movie=accepts_movie)

    def save(self, request: Request, document: SessionDocument) -> Iterator[Event]:
        """Save the session, if there are masklets to save it with."""
        store = self.store_of(request)
        if store is not None:
            store.history.renew_after(document.book)
            store.save_session(document)
            if store.provenance.fingerprint is None:
                yield from self.workspace.know_movie(request, store)

    def show(self, request: Request) -> Iterator[Event]:
        """Say where masklets are that were opened before."""
        yield from self.workspace.show(request)

    def read_frames(self, request: Request, frames: Sequence[int]) -> Iterator[Event]:
        """Read labels that somebody wants to see."""
        store = self.store_of(request)
        if store is None:
            return
        for frame_index in frames:
            yield FrameChanged(frame_index, store.read_labels(frame_index))


def _outwards(centre: int, count: int, reach: int) -> Iterator[int]:
    """Yield frames around one: itself, the next, the one before, and so on."""
    for distance in range(reach + 1):
        for frame in sorted({centre + distance, centre - distance}, reverse=True):
            if 0 <= frame < count:
                yield frame

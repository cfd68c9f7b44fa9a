"""Books and scores of all masklets that the window has shown. Nothing of Qt."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from napari_sam2.engine import (
    Event,
    FrameChanged,
    FramesChanged,
    PendingAnswers,
    Request,
    Scored,
    ScoresRead,
    StoreReady,
)
from napari_sam2.session.book.changes import with_stale_frames
from napari_sam2.session.book.prompt_book import PromptBook
from napari_sam2.session.book.state import BookState
from napari_sam2.session.planning.frame_set import NO_FRAMES, FrameSet
from napari_sam2.session.scores.tables import ScoreTables


@dataclass(slots=True, eq=False)
class ShownMasklets:
    """What is known of one set of masklets.

    Attributes
    ----------
    request
        What the panels said when it began.
    is_new
        Nothing of it was told to the engine.
    pending
        Which answers its edits wait for.
    """

    request: Request
    book: PromptBook
    tables: ScoreTables
    is_new: bool = True
    pending: PendingAnswers = field(default_factory=PendingAnswers)
    _ready: StoreReady | None = None
    _missed: set[int] = field(default_factory=set)

    @property
    def frame_count(self) -> int:
        """Length of the movie."""
        return self.book.frame_count

    def take_scores(self, event: Scored | ScoresRead) -> None:
        """Note scores, whatever is shown."""
        if isinstance(event, ScoresRead):
            self.tables = event.tables
        else:
            ids = {*self.tables.object_ids, *event.row.object_ids}
            self.tables = self.tables.with_objects(sorted(ids))
            self.tables.write(event.row)

    def miss(self, event: object) -> None:
        """Note what came while other masklets were shown."""
        match event:
            case StoreReady():
                self._ready = event
            case FrameChanged(frame_index):
                self._missed.add(frame_index)
            case FramesChanged(frames):
                self._missed.update(frames)

    def take_missed(self) -> list[Event]:
        """Return what is to be told now that these masklets are shown again."""
        events: list[Event] = [] if self._ready is None else [self._ready]
        if self._missed:
            events.append(FramesChanged(FrameSet.of(self._missed)))
        self._ready, self._missed = None, set()
        return events


class KnownMasklets:
    """Finds the masklets of a request, or begins with them."""

    def __init__(self) -> None:
        self._known: dict[Hashable, ShownMasklets] = {}

    def lie_in(self, folder: Path) -> bool:
        """Whether one of them has its masklets in a folder."""
        wanted = folder.absolute()
        return any(
            shown.request.folder.absolute() == wanted for shown in self._known.values()
        )

    def of(self, request: Request, before: ShownMasklets | None) -> ShownMasklets:
        """Return the masklets of a request.

        A new one takes over the prompts of the one before, if the picture has the same
        shape: another channel, another model, another folder.
        """
        key = request.masklets_key
        if key not in self._known:
            count = request.image.axes.frame_count
            state = BookState()
            if before is not None and _is_alike(before.request, request):
                state = taken_over(before.book.state, count)
            self.put(request, state)
        return self._known[key]

    def forget_layer(
        self, layer_id: Hashable, kept: int | None = None
    ) -> list[Request]:
        """Let go of the movies that were in a layer, but for the array that is kept.

        Returns
        -------
        list of Request
            What is forgotten.
        """
        gone = [
            shown.request
            for shown in self._known.values()
            if shown.request.image.layer_id == layer_id
            and shown.request.image.array_id != kept
        ]
        for request in gone:
            del self._known[request.masklets_key]
        return gone

    def put(self, request: Request, state: BookState) -> ShownMasklets:
        """Begin with a book, instead of one that may be known."""
        count = request.image.axes.frame_count
        tables = ScoreTables.empty([], count)
        shown = ShownMasklets(request, PromptBook(count, state), tables)
        self._known[request.masklets_key] = shown
        return shown


class TrackedFrames:
    """Collects what a run has done until somebody tells the book."""

    def __init__(self, book: BookState) -> None:
        self._prompts = {state.object_id: state.prompts for state in book.objects}
        self._frames: dict[int, set[int]] = {}

    def is_about(self, object_ids: Iterable[int]) -> bool:
        """Whether any of the objects is tracked."""
        return any(self._prompts.get(object_id) for object_id in object_ids)

    def note(self, frame_index: int, object_ids: Iterable[int]) -> None:
        """Take note of a frame that was written."""
        for object_id in object_ids:
            self._frames.setdefault(object_id, set()).add(frame_index)

    def hand_over(self, book: PromptBook) -> bool:
        """Tell a book; objects that were prompted meanwhile stay as they are.

        Returns
        -------
        bool
            Whether anything changed.
        """
        before, frames = book.state, self._frames
        self._frames = {}
        book.mark_tracked(
            {
                object_id: FrameSet.of(done)
                for object_id, done in frames.items()
                if (state := before.get(object_id))
                and state.prompts is self._prompts.get(object_id)
            }
        )
        return book.state is not before


def taken_over(book: BookState, frame_count: int) -> BookState:
    """Return the objects and prompts of a book; nothing of them is tracked yet."""
    fresh = BookState(
        tuple(
            replace(state, locked=NO_FRAMES, reviewed=NO_FRAMES, waiting=NO_FRAMES)
            for state in book.objects
        )
    )
    return with_stale_frames(BookState(), fresh, frame_count)


def _is_alike(one: Request, other: Request) -> bool:
    first, second = one.image.axes, other.image.axes
    return (first.frame_count, first.frame_shape, first.region) == (
        second.frame_count,
        second.frame_shape,
        second.region,
    )

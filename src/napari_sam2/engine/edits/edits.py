"""What follows from an edit of the book: frames are answered, objects taken out.

Runs in the worker. What somebody looks at comes first, and is shown before it is
written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from napari_sam2.engine.edits.frame_edits import FrameEdits, events_of, frames_of
from napari_sam2.engine.edits.steps import Steps
from napari_sam2.engine.events import Event, FramesChanged, Remark, Request
from napari_sam2.engine.workspace.workspace import Workspace
from napari_sam2.interfaces import FrameResult
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.session.book.prompt_book import Edit
from napari_sam2.session.book.state import BookState
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.session import NO_RUN

MANY_FRAMES = 16
"""More changed frames than these are not sent one by one."""


class Edits:
    """Makes masklets follow from the book.

    Parameters
    ----------
    workspace
        What is open.
    steps
        Where edits are recorded.
    """

    def __init__(self, workspace: Workspace, steps: Steps) -> None:
        self._workspace = workspace
        self._steps = steps

    def apply(
        self,
        request: Request,
        edit: Edit,
        is_wanted: Callable[[int], bool],
        shown_frame: int,
    ) -> Iterator[Event]:
        """Record an edit and do what follows from it; see `TrackingEngine.apply`."""
        if self._workspace.masklets(request) is None and not _has_prompts(edit.after):
            self._steps.record_early(request, edit)
            return
        yield from self._workspace.prepare(request)
        yield from self._workspace.open_masklets(request)
        frames = nearest_first(edit.changes.frames, shown_frame)
        wanted = [frame for frame in frames if is_wanted(frame)]
        masklets = self._workspace.opened(request)
        work = FrameEdits(masklets, self._workspace.prepared[1], edit.after)
        gone = work.vanished(edit)
        if frames and not (wanted or gone):
            masklets.pending.append(edit)
            return
        with _committed(masklets.store):
            yield from self._answer(request, work, edit, wanted)
            yield from self._clear(request, work, gone, shown_frame)

    def merge(
        self, request: Request, edit: Edit, pair: tuple[int, int], shown_frame: int
    ) -> Iterator[Event]:
        """Record a merge; see `TrackingEngine.merge`."""
        masklets = self._workspace.masklets(request)
        if masklets is None:
            self._steps.record_early(request, edit)
            return
        yield from self._workspace.prepare(request)
        self._steps.record(request, edit)
        kept, gone = pair
        work = FrameEdits(masklets, self._workspace.prepared[1], edit.after)
        with _committed(masklets.store):
            work.take_over(kept, gone)
            frames = nearest_first(frames_of(masklets.store, [gone]), shown_frame)
            results = (work.merged(frame, kept, gone) for frame in frames)
            yield from self._write_all(request, work, results)
            # Earlier edits of these frames were passed over: they are answered here.
            for frame in nearest_first(edit.changes.frames, shown_frame):
                yield from self._answer_frame(request, work, frame)
            yield from self._clear(request, work, work.vanished(edit), shown_frame)

    def resolve(self, request: Request, book: BookState) -> Iterator[Event]:
        """Answer all prompts of a book that have no answer yet."""
        work = FrameEdits(
            self._workspace.opened(request), self._workspace.prepared[1], book
        )
        for frame in work.unanswered():
            yield from self._answer_frame(request, work, frame)

    def _answer(
        self, request: Request, work: FrameEdits, edit: Edit, frames: Sequence[int]
    ) -> Iterator[Event]:
        """Answer frames; the first answer is shown before anything is written."""
        answer = work.answer(frames[0]) if frames else None
        if answer is not None:
            yield from events_of(answer.result, self._dtype(request))
            yield from self._remark(answer.result)
        self._steps.record(request, edit)
        if answer is not None:
            work.write_answer(answer)
        for frame in frames:
            yield from self._answer_frame(request, work, frame)

    def _remark(self, result: FrameResult) -> Iterator[Event]:
        """Say, once for a movie, that the model can hardly see what was answered."""
        movie = self._workspace.prepared[1]
        said = movie.remark(result.scores.area.tolist())
        if said is not None:
            yield Remark(said)

    def _answer_frame(
        self, request: Request, work: FrameEdits, frame: int
    ) -> Iterator[Event]:
        """Answer what has no answer on a frame, clear what has no prompt any more."""
        silenced = work.silenced(frame)
        if silenced is not None:
            work.write(silenced)
            yield from events_of(silenced, self._dtype(request))
        answer = work.answer(frame)
        if answer is not None:
            work.write_answer(answer)
            yield from events_of(answer.result, self._dtype(request))

    def _clear(
        self,
        request: Request,
        work: FrameEdits,
        gone: Mapping[int, FrameSet],
        shown_frame: int,
    ) -> Iterator[Event]:
        """Take objects out of the frames on which they vanished."""
        left = work.left_over(gone)
        frames = nearest_first(left, shown_frame)
        results = (work.without(frame, left[frame]) for frame in frames)
        yield from self._write_all(request, work, results)

    def _write_all(
        self, request: Request, work: FrameEdits, results: Iterable[FrameResult]
    ) -> Iterator[Event]:
        """Write frames; of many, only the first are sent with their labels."""
        later: list[int] = []
        for number, result in enumerate(results):
            work.write(result)
            if number < MANY_FRAMES:
                yield from events_of(result, self._dtype(request))
            else:
                later.append(result.frame_index)
                _, scored = events_of(result, self._dtype(request))
                yield scored
        if later:
            yield FramesChanged(FrameSet.of(later))

    def _dtype(self, request: Request) -> np.dtype:
        return np.dtype(self._workspace.opened(request).store.array.dtype)


@contextmanager
def _committed(store: OmeZarrLabelStore) -> Iterator[None]:
    """Commit at the end, also where the window is closed between two frames."""
    try:
        yield
    except GeneratorExit:
        store.commit(NO_RUN, None)
        raise
    store.commit(NO_RUN, None)


def nearest_first(frames: Iterable[int], shown_frame: int) -> list[int]:
    """Return frames by their distance from the one that is shown."""
    return sorted(frames, key=lambda frame: (abs(frame - shown_frame), frame))


def _has_prompts(book: BookState) -> bool:
    return any(state.prompts for state in book.objects)

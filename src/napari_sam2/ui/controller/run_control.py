"""Tracking and repairing, as the window starts, pauses and stops it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from qtpy.QtCore import QObject, Signal

from napari_sam2.engine import Followed, Order, Request, Together, TrackingEngine
from napari_sam2.engine.jobs import Job, Priority
from napari_sam2.session.session import FrameDone
from napari_sam2.ui.controller.shown_masklets import ShownMasklets, TrackedFrames
from napari_sam2.ui.controller.worker import Worker
from napari_sam2.ui.widgets.timers import single_shot

FLUSH_MS = 100
"""At most ten times a second the book hears of what a run has done."""


class RunControl(QObject):
    """One run at a time.

    Parameters
    ----------
    deliver, fail
        Hear of its events, with whose they are, and of the error that ended it.
    """

    started = Signal()
    """A run was asked for."""
    ended = Signal(bool, bool)
    """A run has ended: whether it came to its end, whether it was cancelled."""
    book_renewed = Signal()
    """Frames of the book are no longer stale; nobody else was told."""
    paused = Signal(bool)

    def __init__(
        self,
        worker: Worker,
        deliver: Callable[[ShownMasklets, object], None],
        fail: Callable[[Exception], None],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._worker, self._deliver, self._fail = worker, deliver, fail
        self._job: Job | None = None
        self._shown: ShownMasklets | None = None
        self._done: TrackedFrames | None = None
        self.order = Order()
        self._flush = single_shot(self, self.tell_book, FLUSH_MS)

    @property
    def is_running(self) -> bool:
        """Whether something is tracked, paused, or waits for it."""
        return self._job is not None

    @property
    def is_paused(self) -> bool:
        """Whether the run waits for somebody."""
        return self._job is not None and self._job.is_paused

    def is_about(self, object_ids: Iterable[int]) -> bool:
        """Whether one of the objects is being tracked."""
        return self._done is not None and self._done.is_about(object_ids)

    def start(
        self,
        engine: TrackingEngine,
        shown: ShownMasklets,
        request: Request,
        order: Order,
    ) -> None:
        """Begin a run; there must be none."""
        book = shown.book.state
        self._shown, self._done, self.order = shown, TrackedFrames(book), order
        self._job = Job(
            partial(engine.track, request, book, order),
            partial(self._on_event, shown),
            self._fail,
            self._on_finished,
            priority=Priority.TRACK,
        )
        self._worker.submit(self._job)
        self.started.emit()

    def stop(self) -> None:
        """Stop after the current frame; what was written stays."""
        if self._job is not None:
            self._job.cancel()
            self._worker.wake()

    def give_way(self) -> None:
        """Stop a repair with a step of its own: a live one will do the rest.

        What follows from a correction is undone with it, not with an earlier repair.
        """
        if self.order.is_repair and not self.order.joins_step:
            self.stop()

    def pause(self) -> None:
        """Wait after the current frame."""
        if self._job is not None and not self._job.is_paused:
            self._job.pause()
            self.paused.emit(True)

    def resume(self) -> None:
        """Go on."""
        if self._job is not None and self._job.is_paused:
            self._job.resume()
            self._worker.wake()
            self.paused.emit(False)

    def tell_book(self) -> None:
        """Let the book know what was tracked."""
        if self._shown is None or self._done is None:
            return
        if self._done.hand_over(self._shown.book):
            self.book_renewed.emit()

    def _on_event(self, shown: ShownMasklets, event: object) -> None:
        if isinstance(event, Together):
            for part in event.events:
                self._on_event(shown, part)
            return
        if isinstance(event, Followed):
            self.tell_book()
            self._done = TrackedFrames(event.book)
        if isinstance(event, FrameDone) and event.written and self._done is not None:
            self._done.note(event.frame_index, event.object_ids)
            if not self._flush.isActive():
                self._flush.start()
        self._deliver(shown, event)

    def _on_finished(self, is_done: bool) -> None:
        was_cancelled = self._job is not None and self._job.is_cancelled
        self._flush.stop()
        self.tell_book()
        self._job = self._shown = self._done = None
        self.ended.emit(is_done, was_cancelled)

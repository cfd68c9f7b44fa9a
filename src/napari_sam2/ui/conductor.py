"""From what the panels ask to jobs of the worker, and an account of what was asked.

Knows clicks, requests, the engine and the worker; no panels and no layers.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial

from qtpy.QtCore import QObject, Signal

from napari_sam2.prompts import PromptedObject
from napari_sam2.session.plan import Direction
from napari_sam2.ui.engine import Event, Request, TrackingEngine
from napari_sam2.ui.jobs import Job
from napari_sam2.ui.owed_masks import OwedMasks, Ticket
from napari_sam2.ui.point_prompts import NO_CLICKS, Clicks, compare_clicks
from napari_sam2.ui.worker import Worker


class Conductor(QObject):
    """Answers clicks and tracks, one job after the other.

    All signals are emitted in the main thread.
    """

    happened = Signal(object)
    """An `Event` of the engine."""
    failed = Signal(object)
    """The error that ended a job."""
    answered = Signal(object)
    """The masks of a `Ticket` are there, and nobody clicked on its frame since."""
    tracked = Signal(bool, bool)
    """Tracking has ended: whether it came to its end, whether it was cancelled."""
    told = Signal(str)
    """How a long step goes, in words."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.worker = Worker(self)
        self.engine = TrackingEngine(self.told.emit)
        self._clicks = NO_CLICKS
        self._asked: dict[Hashable, Clicks] = {}
        self._owed = OwedMasks()
        self._used: set[int] = set()
        self._tracking: Job | None = None

    @property
    def is_tracking(self) -> bool:
        """Whether something is tracked, or waits for it."""
        return self._tracking is not None

    @property
    def next_object(self) -> int:
        """An object id that no click has had."""
        return max(self._used, default=0) + 1

    @property
    def clicks(self) -> Clicks:
        """What was clicked when it was last looked at."""
        return self._clicks

    def close(self) -> None:
        """Let nothing begin any more; what runs ends after its current step."""
        self.worker.close()

    # --- Clicks

    def prepare(self, request: Request) -> None:
        """Load the model before the first click asks for it."""
        self._submit(partial(self.engine.prepare, request), key="prepare")

    def forget_clicks(self) -> None:
        """Take all clicks to come for new ones: they are of another points layer."""
        self._clicks = NO_CLICKS
        self._asked.clear()

    def update_clicks(self, request: Request, clicks: Clicks) -> None:
        """Ask for the masks of all that was clicked, or taken back, since last time."""
        changes = compare_clicks(self._clicks, clicks)
        self._clicks = self._asked[request.masklets_key] = clicks
        self._used.update(object_id for object_id, _ in clicks.prompts)
        for ticket in self._owed.note(changes, clicks):
            self._answer(request, ticket)
        if changes.removed:
            steps = partial(
                self.engine.remove_objects, request, changes.removed, self._is_gone
            )
            self._submit(steps, gives_way=True)

    def turn_to(self, request: Request, clicks: Clicks) -> None:
        """Show clicks in other masklets, as far as these lack them."""
        self._owed.clear()
        self._clicks = self._asked.get(request.masklets_key, NO_CLICKS)
        self.update_clicks(request, clicks)
        self._submit(partial(self.engine.show, request), key="show")

    def reopen_masklets(self, request: Request) -> None:
        """Say that somebody draws on masklets that may be finished."""
        self._submit(partial(self.engine.reopen_masklets, request), key="painted")

    # --- Tracking

    def track(
        self, request: Request, objects: Sequence[PromptedObject], direction: Direction
    ) -> None:
        """Track objects; `happened` and `tracked` tell how it goes."""
        steps = partial(self.engine.track, request, objects, direction)
        self._tracking = self._submit(steps, finish=self._on_tracked, gives_way=True)

    def cancel(self) -> None:
        """Stop tracking after the current frame."""
        if self._tracking is not None:
            self._tracking.cancel()

    # --- Steps

    def _answer(self, request: Request, ticket: Ticket) -> None:
        steps = partial(
            self.engine.show_clicks,
            request,
            ticket.frame_index,
            ticket.prompts,
            ticket.cleared,
            partial(self._owed.is_current, ticket),
        )
        finish = partial(self._on_answered, ticket)
        self._submit(steps, finish=finish, key=("clicks", ticket.frame_index))

    def _submit(
        self,
        steps: Callable[[], Iterator[Event]],
        *,
        finish: Callable[[bool], None] = lambda _is_done: None,
        key: Hashable = None,
        gives_way: bool = False,
    ) -> Job:
        job = Job(
            steps,
            self.happened.emit,
            self.failed.emit,
            finish,
            key,
            gives_way=gives_way,
        )
        self.worker.submit(job)
        return job

    def _is_gone(self, object_id: int) -> bool:
        """Whether an object has no clicks; asked from the worker too."""
        return all(one != object_id for one, _ in self._clicks.prompts)

    def _on_answered(self, ticket: Ticket, is_done: bool) -> None:
        if is_done and self._owed.is_current(ticket):
            self.answered.emit(ticket)
        self._owed.settle(ticket)

    def _on_tracked(self, is_done: bool) -> None:
        was_cancelled = self._tracking is not None and self._tracking.is_cancelled
        self._tracking = None
        self.tracked.emit(is_done, was_cancelled)

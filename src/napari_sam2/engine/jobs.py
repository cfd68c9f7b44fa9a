"""Jobs for the one worker thread: which takes the next step, and what it says.

No Qt here. Every job is a generator. Between two steps the most urgent job goes on, so
that a click is answered while masks stream in, and embeddings are prepared only while
nothing else is to be done.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import IntEnum
from threading import Event, Lock
from typing import ParamSpec, TypeVar

from napari_sam2.errors import NapariSam2Error

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Priority(IntEnum):
    """How urgent a job is; between two steps of a job, more urgent ones are run."""

    CLICK = 0
    """Somebody waits for it: clicks, strokes, hovering, undo, frames to be shown."""
    EDIT = 1
    """Changes of many frames, saving."""
    TRACK = 2
    """Tracking and repairing."""
    WARM = 3
    """What may never be needed."""


@dataclass(eq=False, slots=True)
class Job:
    """Work for the worker, and who hears of it in the main thread.

    Attributes
    ----------
    steps
        Called in the worker; the iterator's items are delivered. Closing it early must
        leave everything in order.
    deliver
        Told of each item.
    fail
        Told of the error that ended the job.
    finish
        Told, last of all, whether the job came to its end by itself.
    key
        A waiting job of an equal key is replaced by a newer one.
    priority
        Which jobs may run between two steps of this one.
    """

    steps: Callable[[], Iterator[object]]
    deliver: Callable[[object], None]
    fail: Callable[[Exception], None]
    finish: Callable[[bool], None] = lambda _done: None
    key: Hashable = None
    priority: Priority = Priority.CLICK
    _cancelled: Event = field(default_factory=Event)
    _paused: Event = field(default_factory=Event)

    def cancel(self) -> None:
        """Stop the job after the current step."""
        self._cancelled.set()

    def pause(self) -> None:
        """Make no further step until `resume`; see `Worker.wake`."""
        self._paused.set()

    def resume(self) -> None:
        """Take further steps again."""
        self._paused.clear()

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody cancelled it."""
        return self._cancelled.is_set()

    @property
    def is_paused(self) -> bool:
        """Whether it waits for `resume`; a cancelled job does not wait."""
        return self._paused.is_set() and not self._cancelled.is_set()


def once(
    do: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Callable[[], Iterator[Result]]:
    """Return the steps of a job that has a single one, whose result is delivered."""

    def steps() -> Iterator[Result]:
        yield do(*args, **kwargs)

    return steps


@dataclass(frozen=True, slots=True)
class Delivery:
    """An item of a job."""

    job: Job
    item: object


@dataclass(frozen=True, slots=True)
class Failure:
    """The error that ended a job."""

    job: Job
    error: Exception


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of a job: by itself, or cancelled."""

    job: Job
    is_done: bool


Report = Delivery | Failure | Finish


@dataclass(eq=False, slots=True)
class _Turn:
    """A job in the queue; its steps are made when it takes the first one.

    Attributes
    ----------
    has_begun
        Whether the worker took it: from then on no newer job may take its place.
    is_over
        Whether it takes no step any more.
    """

    job: Job
    items: Iterator[object] | None = None
    has_begun: bool = False
    is_over: bool = False

    @property
    def urgency(self) -> tuple[bool, int, bool]:
        """What comes first is smallest: cancelled jobs tidy up before all others."""
        return not self.job.is_cancelled, self.job.priority, not self.has_begun

    def step(self) -> Report:
        """Run to the next item, the end, or an error."""
        try:
            if self.job.is_cancelled:
                self.is_over = True
                self.close()
                return Finish(self.job, is_done=False)
            if self.items is None:
                self.items = self.job.steps()
            return Delivery(self.job, next(self.items))
        except StopIteration:
            self.is_over = True
            return Finish(self.job, is_done=True)
        except (NapariSam2Error, RuntimeError) as error:
            # torch raises RuntimeErrors, which napari's worker takes for its own
            # deletion: it would end without a word.
            self.is_over = True
            return Failure(self.job, error)

    def close(self) -> None:
        """End it early; a generator tidies up."""
        if isinstance(self.items, Generator):
            self.items.close()


class JobQueue:
    """Jobs that wait, and jobs that have begun; may be used by both threads."""

    def __init__(self) -> None:
        self._turns: list[_Turn] = []
        self._lock = Lock()
        self._is_closed = False
        self._last: Callable[[], None] | None = None

    @property
    def is_closed(self) -> bool:
        """Whether no job will go on any more."""
        return self._is_closed

    @property
    def has_work(self) -> bool:
        """Whether a job could take a step, or must tidy up."""
        with self._lock:
            if self._is_closed:
                has_begun = any(turn.has_begun for turn in self._turns)
                return has_begun or self._last is not None
            return any(not turn.job.is_paused for turn in self._turns)

    def __contains__(self, job: Job) -> bool:
        with self._lock:
            return any(turn.job is job for turn in self._turns)

    def add(self, job: Job) -> None:
        """Put a job at the end, or in the place of a waiting one of the same key."""
        with self._lock:
            if self._is_closed:
                return
            for turn in self._turns:
                is_alike = job.key is not None and turn.job.key == job.key
                if is_alike and not turn.has_begun:
                    turn.job = job
                    return
            self._turns.append(_Turn(job))

    def take(self) -> _Turn | None:
        """Return whose turn it is; None if nothing can go on."""
        with self._lock:
            ready = [turn for turn in self._turns if not turn.job.is_paused]
            if self._is_closed or not ready:
                return None
            taken = min(ready, key=lambda turn: turn.urgency)
            taken.has_begun = True
            return taken

    def drop(self, over: _Turn) -> None:
        """Forget a job that is over."""
        with self._lock:
            self._turns.remove(over)

    def forget_begun(self) -> list[Job]:
        """Forget and return the jobs that had begun, after a bug ended the thread."""
        with self._lock:
            begun = [turn.job for turn in self._turns if turn.has_begun]
            self._turns = [turn for turn in self._turns if not turn.has_begun]
        return begun

    def close(self, last: Callable[[], None] | None = None) -> None:
        """Let no job go on; those that have begun tidy up in `run_jobs`.

        ``last`` is done when they have.
        """
        with self._lock:
            self._is_closed = True
            self._last = last or self._last
            self._turns = [turn for turn in self._turns if turn.has_begun]

    def tidy_up(self) -> None:
        """End the jobs that have begun, all of them, even if one of them cannot.

        After a bug they stay until `forget_begun`: somebody must hear of their end.
        """
        with self._lock:
            begun = [turn for turn in self._turns if turn.has_begun]
            if self._is_closed:
                self._turns = []
            last, self._last = self._last, None
        with ExitStack() as ending:
            if last is not None:
                ending.callback(last)  # the first that is put on a stack
            for turn in begun:
                ending.callback(turn.close)


def run_jobs(queue: JobQueue) -> Generator[Report, None, None]:
    """Run jobs until none can go on; the body of the worker.

    Paused jobs stay in the queue, and go on in the next run. After a bug, what had
    begun ends here: elsewhere it would write its files in the main thread.
    """
    is_stepping = False
    try:
        while (turn := queue.take()) is not None:
            is_stepping = True
            report = turn.step()
            is_stepping = False
            if turn.is_over:
                queue.drop(turn)
            yield report
    finally:
        if queue.is_closed or is_stepping:
            queue.tidy_up()

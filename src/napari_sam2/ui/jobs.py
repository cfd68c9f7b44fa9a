"""Jobs for the one worker thread: which runs next, and what it says.

No Qt here. A short job runs to its end; a job that gives way, such as tracking, lets
short ones run between two of its steps, so that a click is answered while masks stream.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterator
from dataclasses import dataclass, field
from threading import Event, Lock

from napari_sam2.errors import NapariSam2Error


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
    gives_way
        Whether other jobs may run between two steps.
    """

    steps: Callable[[], Iterator[object]]
    deliver: Callable[[object], None]
    fail: Callable[[Exception], None]
    finish: Callable[[bool], None] = lambda _done: None
    key: Hashable = None
    gives_way: bool = False
    _cancelled: Event = field(default_factory=Event)

    def cancel(self) -> None:
        """Stop the job after the current step."""
        self._cancelled.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody cancelled it."""
        return self._cancelled.is_set()


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


class WaitingJobs:
    """Jobs that have not begun; may be used by both threads."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._lock = Lock()
        self._is_closed = False

    def __len__(self) -> int:
        with self._lock:
            return len(self._jobs)

    @property
    def is_closed(self) -> bool:
        """Whether no job will begin any more."""
        return self._is_closed

    def __contains__(self, job: Job) -> bool:
        with self._lock:
            return job in self._jobs

    def add(self, job: Job) -> None:
        """Put a job at the end, or in the place of a waiting one of the same key."""
        with self._lock:
            if self._is_closed:
                return
            keys = [one.key for one in self._jobs]
            if job.key is not None and job.key in keys:
                self._jobs[keys.index(job.key)] = job
            else:
                self._jobs.append(job)

    def take(self, *, may_give_way: bool) -> Job | None:
        """Take the next job: short ones first; a long one only if it may be begun."""
        with self._lock:
            for job in self._jobs:
                if not job.gives_way:
                    self._jobs.remove(job)
                    return job
            return self._jobs.popleft() if self._jobs and may_give_way else None

    def close(self) -> None:
        """Forget all jobs, also those to come."""
        with self._lock:
            self._is_closed = True
            self._jobs.clear()


@dataclass(slots=True)
class _Running:
    """A job that has begun."""

    job: Job
    items: Iterator[object]
    is_over: bool = False

    def step(self) -> Report:
        """Run to the next item, the end, or an error."""
        try:
            if self.job.is_cancelled:
                self.is_over = True
                self.close()
                return Finish(self.job, is_done=False)
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


def run_jobs(waiting: WaitingJobs) -> Generator[Report, None, None]:
    """Run jobs until none is left; the body of the worker."""
    background: _Running | None = None
    try:
        while not waiting.is_closed:
            job = waiting.take(may_give_way=background is None)
            if job is not None and not job.gives_way:
                running = _Running(job, job.steps())
                while not running.is_over:
                    yield running.step()
                continue
            if job is not None:
                background = _Running(job, job.steps())
            if background is None:
                return
            yield background.step()
            if background.is_over:
                background = None
    finally:
        if background is not None:
            background.close()

"""The dock's one worker thread, seen from the main thread."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from functools import partial
from threading import Event

from napari.qt.threading import GeneratorWorker, create_worker
from qtpy.QtCore import QObject, Qt, Signal

from napari_sam2.engine.jobs import (
    Delivery,
    Failure,
    Finish,
    Job,
    JobQueue,
    Priority,
    Report,
    run_jobs,
)

SEEN_S = 0.5
"""The worker goes on after so long, whether or not its answer has been seen."""


class Worker(QObject):
    """Runs jobs step by step and brings what they say into the main thread.

    napari's workers do the running: one lives as long as a job can go on.
    """

    became_idle = Signal()
    """Nothing can go on any more: all is done, or paused."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue = JobQueue()
        self._running: GeneratorWorker | None = None
        self._is_seen, self._has_left = Event(), Event()

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs, and nothing waits that could."""
        return self._running is None and not self._queue.has_work

    @property
    def is_closed(self) -> bool:
        """Whether no job goes on any more."""
        return self._queue.is_closed

    def submit(self, job: Job) -> None:
        """Run a job as soon as it is its turn."""
        self._queue.add(job)
        self.wake()

    def wake(self) -> None:
        """Go on with jobs that were resumed, or cancelled while they paused."""
        if self._running is not None or not self._queue.has_work:
            return
        self._has_left = Event()
        reports = _reports(self._queue, self._is_seen)
        self._running = create_worker(
            _handed_on,
            reports,
            _start_thread=False,
            _connect={
                "yielded": self._on_report,
                "errored": self._on_errored,
                "finished": self._on_finished,
            },
        )
        leave = partial(_leave, reports, self._queue, self._has_left)
        # In the worker's thread, and whether or not this object is still there.
        self._running.finished.connect(leave, Qt.ConnectionType.DirectConnection)
        self._running.start()

    def close(self, last: Callable[[], None] | None = None) -> None:
        """End what runs after its current step; let nothing else begin but ``last``.

        Does not wait: the thread tidies up by itself, and napari waits for it when it
        quits.
        """
        self._queue.close(last)
        self._is_seen.set()
        if self._has_left.is_set():
            self._running = None  # nobody is told of its end any more
        self.wake()

    def _on_report(self, report: object) -> None:
        if self._queue.is_closed:
            return
        if isinstance(report, Delivery):
            report.job.deliver(report.item)
        elif isinstance(report, Failure):
            _end(report.job, report.error)
        elif isinstance(report, Finish):
            report.job.finish(report.is_done)
        self._is_seen.set()

    def _on_errored(self, error: Exception) -> None:
        """End what had begun; napari shows this bug with its traceback."""
        for job in self._queue.forget_begun():
            _end(job, error)

    def _on_finished(self) -> None:
        self._running = None
        self.wake()
        if self._running is None:
            self.became_idle.emit()


def _end(job: Job, error: Exception) -> None:
    job.fail(error)
    job.finish(False)


def _handed_on(reports: Generator[Report, None, None]) -> Generator[Report, None, None]:
    """Let napari make its generator of one that can be ended."""
    yield from reports


def _leave(
    reports: Generator[Report, None, None], queue: JobQueue, has_left: Event
) -> None:
    """Tidy up where napari let go of a thread between two steps, as when it closes.

    It would keep the masklets locked for all other windows of the program.
    """
    reports.close()
    has_left.set()
    if queue.is_closed:
        queue.tidy_up()


# No method: napari tells of it when the window, and this worker, may be gone.
def _reports(queue: JobQueue, is_seen: Event) -> Generator[Report, None, None]:
    """Run jobs; let an answer be seen before what follows from it, like writing.

    Python runs one thread at a time: both at once would be seen later.
    """
    with closing(run_jobs(queue)) as reports:
        for report in reports:
            is_seen.clear()
            yield report
            if report.job.priority is Priority.CLICK:
                is_seen.wait(SEEN_S)

"""Movies on the workers of dask.distributed: one task a movie.

Needs the extra ``cluster``. A worker keeps its model from movie to movie. A worker that
is told to end (pre-emption) commits the frame in hand; one that is killed has committed
at most a minute before. Whoever takes its movie goes on there.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict
from typing import Any, cast

import dask
from distributed import Client, LocalCluster, WorkerPlugin, get_worker
from distributed.client import Future, as_completed
from distributed.comm.addressing import resolve_address
from distributed.scheduler import KilledWorker
from tornado.ioloop import IOLoop

from napari_sam2 import __version__
from napari_sam2.batch.plan.plan import PlannedMovie
from napari_sam2.batch.report.outcome import (
    IsCancelled,
    MovieOutcome,
    MovieProgress,
    OnProgress,
)
from napari_sam2.batch.running.movie_run import Patience, make_it_so, outcome_of
from napari_sam2.errors import InputError

TOPIC = "napari-sam2"
GPU = "GPU"
"""Resource that a worker with a graphics card declares, one for a movie at a time."""
PLUGIN = "napari-sam2-ending"
BETWEEN_NEWS = 0.5
"""Seconds between two messages about one movie."""
LOOK = 0.25
"""Seconds between two looks at whether somebody cancelled."""
FIRST_ANSWER = 30
"""Seconds that a scheduler may take to answer."""
LAST_TASKS = 10
"""Seconds that what dask still does may take to end; then it ends with the process."""
FIRST_WORKER = 600
"""Seconds that a queue may take to start the first worker."""
LOST_FOR_GOOD = "7 days"
"""After so long without a sign, dask ends a worker of this machine that was lost. Its
own 15 s are shorter than a busy machine takes to start it again: with each worker that
was killed there was one less, and none in the end."""
NO_PROFILES = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
}
"""dask looks a hundred times a second at what a worker's threads do, for a page that
nobody opens here: 7 to 12 % of the processor time of a movie."""
QUEUES = {"slurm": "SLURMCluster", "lsf": "LSFCluster", "sge": "SGECluster"}


class Ending(WorkerPlugin):
    """Lets the movies of a worker end when the worker does, all frames committed."""

    name = PLUGIN

    def setup(self, worker: Any) -> None:
        """Begin without an end in sight; made here, as an event cannot be sent."""
        self._ending, self._changed = threading.Event(), threading.Condition()
        self._movies = 0

    async def teardown(self, worker: Any) -> None:
        """Wait until the frames in hand are committed."""
        self._ending.set()
        await asyncio.to_thread(self._wait)
        # Or Python looks through all of torch for garbage before it ends: for longer
        # than dask waits, which then complains and kills.
        gc.freeze()

    def _wait(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._movies, 60)

    def ask(self) -> None:
        """Let the movies in hand end."""
        self._ending.set()

    @property
    def is_asked(self) -> bool:
        """Whether movies are to end."""
        return self._ending.is_set()

    @contextmanager
    def a_movie(self) -> Iterator[None]:
        """Note that a movie is in hand; there are as many as the worker has threads."""
        with self._changed:
            self._movies += 1
        try:
            yield
        finally:
            with self._changed:
                self._movies -= 1
                self._changed.notify_all()


class OnWorkers:
    """Runs movies on workers: of this machine, of a scheduler, or of a queue.

    Parameters
    ----------
    where
        ``"local"``, the address of a scheduler, ``"slurm"``, ``"lsf"`` or ``"sge"``;
        queues are set up as dask-jobqueue has it, in its configuration file.
    workers
        How many to start, where they are started.
    """

    def __init__(self, where: str, workers: int = 1) -> None:
        self.where, self.workers = where, workers

    def run(
        self,
        movies: Sequence[PlannedMovie],
        patience: Patience,
        on_progress: OnProgress,
        is_cancelled: IsCancelled,
    ) -> Iterator[MovieOutcome]:
        """Yield an outcome for each movie, as soon as it is known.

        Raises
        ------
        InputError
            If there is no such scheduler, or a worker has another version.
        """
        if not movies:
            return
        # It logs lost connections with tracebacks; outcomes say what was lost.
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        needs_gpu = any(
            movie.job.model_options.device.startswith("cuda")
            and not movie.job.model_options.cpu_without_gpu
            for movie in movies
        )
        with ExitStack() as opened:
            loop = opened.enter_context(event_loop())
            client = opened.enter_context(self._client(needs_gpu, patience, loop))
            _wait_for_one(client)
            _check_workers(client, needs_gpu)
            client.register_plugin(Ending())

            def heard(event: tuple[float, dict[str, Any]]) -> None:
                on_progress(MovieProgress(**event[1]["progress"]))

            client.subscribe_topic(TOPIC, heard)
            resources = {GPU: 1} if needs_gpu else None
            futures = {
                client.submit(
                    run_movie,
                    movie.model_dump_json(),
                    patience,
                    pure=False,
                    resources=resources,
                    retries=0,
                ): movie
                for movie in movies
            }
            yield from _outcomes(client, futures, is_cancelled)

    def _client(
        self, needs_gpu: bool, patience: Patience, loop: IOLoop
    ) -> AbstractContextManager[Client]:
        """Start workers, or find those that are there."""
        dask.config.set({"distributed.scheduler.allowed-failures": patience.retries})
        if self.where == "local":
            return _Owned(lambda: self._local(needs_gpu, loop))
        if self.where in QUEUES:
            return _Owned(lambda: self._queue(loop))
        try:
            resolve_address(self.where)  # what is none leaves a client half made
            client: Client = Client(
                self.where, timeout=FIRST_ANSWER, loop=loop, set_as_default=False
            )
        except (OSError, ValueError) as error:
            raise InputError(
                f"--scheduler {self.where}: no scheduler answers there; give local, "
                f"{', '.join(QUEUES)}, or an address such as tcp://host:8786"
            ) from error
        return client

    def _local(self, needs_gpu: bool, loop: IOLoop) -> LocalCluster:
        dask.config.set({"distributed.deploy.lost-worker-timeout": LOST_FOR_GOOD})
        dask.config.set(NO_PROFILES)
        return LocalCluster(
            loop=loop,
            n_workers=self.workers,
            threads_per_worker=1,
            resources={GPU: 1} if needs_gpu else None,
            dashboard_address="127.0.0.1:0",  # two batches may run on one machine
            memory_limit=0,  # frames and weights are no data of dask's to spill
        )

    def _queue(self, loop: IOLoop) -> Any:
        try:
            import dask_jobqueue
        except ImportError as error:
            raise InputError(
                f"--scheduler {self.where}: needs dask-jobqueue: install it with "
                "pip install 'napari-sam2[cluster]'"
            ) from error
        kind = getattr(dask_jobqueue, QUEUES[self.where])
        submit = kind.job_cls.submit_command
        if shutil.which(submit) is None:
            raise InputError(
                f"--scheduler {self.where}: there is no program {submit} here; run "
                "this on a machine of the cluster that may submit jobs"
            )
        try:
            made = kind(loop=loop)
        except ValueError as error:
            reason = str(error).splitlines()[0].rstrip(",:")
            raise InputError(
                f"--scheduler {self.where}: dask-jobqueue says: {reason}; set up "
                f"jobqueue.{self.where} in ~/.config/dask/jobqueue.yaml"
            ) from error
        made.scale(jobs=self.workers)
        return made


@contextmanager
def event_loop() -> Iterator[IOLoop]:
    """Run an event loop in a thread, for clusters and clients of dask.

    One that dask starts itself has 10 s to begin, and fails with a bare AssertionError
    on a machine that is busier than that.
    """
    begun = concurrent.futures.Future[tuple[IOLoop, asyncio.Event]]()

    async def until_stopped() -> None:
        stop = asyncio.Event()
        begun.set_result((IOLoop.current(), stop))
        await stop.wait()

    def run() -> None:
        try:
            asyncio.run(until_stopped())
        except Exception as error:  # whatever it is: who waits would wait for ever
            if begun.done():
                raise
            begun.set_exception(error)

    thread = threading.Thread(target=run, name="event loop of dask", daemon=True)
    thread.start()
    loop, stop = begun.result()
    try:
        yield loop
    finally:
        loop.add_callback(stop.set)
        thread.join(LAST_TASKS)


class _Owned(AbstractContextManager[Client]):
    """A client of a cluster of our own: both end together."""

    def __init__(self, start: Callable[[], Any]) -> None:
        self._start = start

    def __enter__(self) -> Client:
        self._cluster = self._start()
        self._client = Client(self._cluster, set_as_default=False)
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._cluster.close()


def run_movie(text: str, patience: Patience) -> str:
    """Make it so, in a worker; text goes in and out, which any version can read."""
    worker = get_worker()
    ending = cast(Ending, worker.plugins[PLUGIN])
    movie = PlannedMovie.model_validate_json(text)
    if ending.is_asked:
        return outcome_of(movie, "cancelled").model_dump_json()
    told = 0.0

    def on_progress(progress: MovieProgress) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told > BETWEEN_NEWS or progress.position == progress.total:
            told = now
            worker.log_event(TOPIC, {"progress": asdict(progress)})

    with ending.a_movie():
        outcome = make_it_so(movie, patience, on_progress, lambda: ending.is_asked)
    return outcome.model_dump_json()


def _ask_to_end(dask_worker: Any) -> None:
    """Let the movie of a worker end; run on each of them."""
    dask_worker.plugins[PLUGIN].ask()


def _wait_for_one(client: Client) -> None:
    try:
        client.wait_for_workers(1, timeout=FIRST_WORKER)
    except TimeoutError as error:
        raise InputError(
            f"no worker came within {FIRST_WORKER} s: look at what its queue or its "
            "log says, and run the plan again once one is there"
        ) from error


def _version() -> str:
    """Return the version on a worker; fails where there is none, or a far older one."""
    from napari_sam2 import __version__ as version

    return version


def _check_workers(client: Client, needs_gpu: bool) -> None:
    """Refuse workers that would compute something else, or nothing."""
    declared = [one["resources"] for one in client.scheduler_info()["workers"].values()]
    if needs_gpu and not any(GPU in resources for resources in declared):
        raise InputError(
            "no worker declares a GPU, which the plan's device needs: start workers "
            "with --resources GPU=1, or allow cpu_without_gpu in the plan"
        )
    for address, version in client.run(_version, on_error="return").items():
        if version != __version__:
            has = "no napari-sam2" if isinstance(version, Exception) else version
            raise InputError(
                f"worker {address}: has {has}, but this is napari-sam2 {__version__}; "
                "install the same version there, with the extra cluster"
            )


def _outcomes(
    client: Client, futures: dict[Future, PlannedMovie], is_cancelled: IsCancelled
) -> Iterator[MovieOutcome]:
    """Yield outcomes; when somebody cancels, movies end, and others never begin."""
    ended = as_completed(list(futures), loop=client.loop)
    asked = False
    while ended.count():
        if is_cancelled() and not asked:
            asked = True
            client.run(_ask_to_end)
        ready = ended.next_batch(block=False)
        if not ready:
            time.sleep(LOOK)
        for future in ready:
            yield _outcome(future, futures[future])


def _outcome(future: Future, movie: PlannedMovie) -> MovieOutcome:
    is_lost = future.cancelled()  # by dask: nobody here cancels a future
    error = None if is_lost else future.exception()
    if is_lost:
        why = (
            "the scheduler was lost before it was whole; start it and its workers, and "
            "run the plan again"
        )
    elif error is None:
        return MovieOutcome.model_validate_json(future.result())
    elif isinstance(error, KilledWorker):
        why = (
            "the workers that tracked it were lost; look for what ended them (memory, "
            "time limits), and run the plan again"
        )
    else:
        why = f"{type(error).__name__}: {error}"
    said = f"{movie.title}: {why}"
    return outcome_of(movie, "failed", error=said, exit_code=3)

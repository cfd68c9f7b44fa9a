"""Movies on workers of dask: killed at random, the results are those of one process."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import dask
import pytest
import tifffile
from distributed import Client, LocalCluster
from tests.batch.trees import tree

from napari_sam2.batch.plan.plan import BatchPlan
from napari_sam2.batch.prompting.policies import PromptsBeside
from napari_sam2.batch.running import cluster
from napari_sam2.batch.running.batch import Listener, run_plan
from napari_sam2.batch.running.cluster import OnWorkers
from napari_sam2.errors import InputError

pytestmark = [
    # Clients and nannies close while messages are under way; they log it and go on.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def plan(job, files, tmp_path):
    """Three movies of 12 frames, one of which is broken."""
    for name in "abc":
        shutil.copy(files / "movie.tif", tmp_path / f"{name}.tif")
        shutil.copy(files / "prompts.tif", tmp_path / f"{name}_cp_masks.tif")
    (tmp_path / "b.tif").write_bytes(b"II*\0 no more")
    options = job.model_options.model_copy(update={"threads": 1})
    return BatchPlan(
        movies=(str(tmp_path / "?.tif"),),
        prompts=PromptsBeside(patterns=("{stem}_cp_masks.tif",)),
        model_options=options,
        out=str(tmp_path / "sequential" / "{stem}.zarr"),
        frames=(0, 12),
        retries=20,
        retry_delay=0.5,
    )


@pytest.fixture
def loop():
    """An event loop that may take its time to begin."""
    with cluster.event_loop() as running:
        yield running


def test_an_event_loop_may_take_its_time_to_begin(monkeypatch):
    """CI's machine stood still, and dask's own loop had not begun after its 10 s."""
    run = asyncio.run

    def late(main):
        time.sleep(0.3)
        return run(main)

    monkeypatch.setattr(cluster.asyncio, "run", late)
    with (
        cluster.event_loop() as running,
        Client(
            loop=running, processes=False, dashboard_address="127.0.0.1:0", n_workers=1
        ) as client,
    ):
        assert client.submit(sum, [1, 2]).result() == 3
    assert not running.asyncio_loop.is_running()


def test_what_keeps_an_event_loop_from_beginning_is_told(monkeypatch):
    def refused(main):
        main.close()
        raise OSError("too many open files")

    monkeypatch.setattr(cluster.asyncio, "run", refused)
    with pytest.raises(OSError, match="too many open"), cluster.event_loop():
        pytest.fail("began")


class Killer(Listener):
    """Kills a worker of ours now and then, while a movie is tracked."""

    def __init__(self, kills):
        self.kills, self.killed = kills, 0
        self._random = random.Random(1)

    def progress(self, progress):
        import psutil

        if self.killed >= self.kills or progress.position < 3:
            return
        workers = [
            one
            for one in psutil.Process().children(recursive=True)
            if "spawn_main" in " ".join(one.cmdline())
        ]
        if workers:
            self.killed += 1
            os.kill(self._random.choice(workers).pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_killed_workers_end_with_the_bytes_of_one_process(plan, tmp_path):
    # As on a machine that is too busy to start one again before dask gives it up.
    dask.config.set({"distributed.deploy.lost-worker-timeout": "1ms"})
    whole = run_plan(plan, tmp_path / "report")
    soaked = plan.model_copy(update={"out": str(tmp_path / "soaked" / "{stem}.zarr")})
    killer = Killer(1)
    report = run_plan(
        soaked,
        tmp_path / "soak-report",
        scheduler=OnWorkers("local", 1),
        listener=killer,
    )
    assert killer.killed == 1
    assert [one.state for one in report.movies] == ["done", "refused", "done"]
    assert report.movies[1].error == whole.movies[1].error
    for name in "ac":
        theirs = tree(tmp_path / "sequential" / f"{name}.zarr")
        assert tree(tmp_path / "soaked" / f"{name}.zarr") == theirs


def test_cancelling_lets_workers_commit_the_frame_in_hand(plan, movie, tmp_path):
    # So long that no worker comes to the end before it hears of it.
    frames = 1_000
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for index in range(frames):
            writer.write(movie.frame(index % movie.frame_count), contiguous=True)
    shutil.copy(tmp_path / "a.tif", tmp_path / "c.tif")
    seen = threading.Event()

    class Seen(Listener):
        def progress(self, progress):
            assert dask.config.get("scheduler", None) is None, "what others compute"
            seen.set()

    report = run_plan(
        plan.model_copy(
            update={"movies": (str(tmp_path / "[ac].tif"),), "frames": (0, frames)}
        ),
        tmp_path / "report",
        scheduler=OnWorkers("local", 1),
        listener=Seen(),
        is_cancelled=seen.is_set,
    )
    assert [one.state for one in report.movies] == ["cancelled", "cancelled"]
    begun, other = report.movies
    assert 0 < begun.frames_computed < frames
    assert other.frames_computed == 0
    assert not (tmp_path / "sequential" / "c.zarr").exists()


def test_movies_of_a_lost_scheduler_are_in_the_report(plan, tmp_path, loop):
    with LocalCluster(
        loop=loop,
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        dashboard_address="127.0.0.1:0",
    ) as started:

        class Lost(Listener):
            def progress(self, progress):
                threading.Thread(target=started.close).start()

        report = run_plan(
            plan.model_copy(update={"movies": (str(tmp_path / "[ac].tif"),)}),
            tmp_path / "report",
            scheduler=OnWorkers(started.scheduler_address),
            listener=Lost(),
        )
    assert [one.state for one in report.movies] == ["failed", "failed"]
    assert all("the scheduler was lost" in one.error for one in report.movies)
    assert report.exit_code == 3


def test_a_worker_of_another_version_is_refused(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "__version__", "99")
    with pytest.raises(InputError, match="this is napari-sam2 99"):
        run_plan(plan, tmp_path / "report", scheduler=OnWorkers("local", 1))
    assert not (tmp_path / "sequential").exists()


@pytest.fixture
def bare_worker(loop):
    """Address of a scheduler whose one worker has neither napari-sam2 nor a GPU."""
    code = (
        "import sys; sys.modules['napari_sam2'] = None;"
        "from distributed.cli.dask_worker import main; main()"
    )
    free = "127.0.0.1:0"
    with LocalCluster(loop=loop, n_workers=0, dashboard_address=free) as started:
        address = started.scheduler_address
        options = "--no-nanny", "--nthreads", "1", "--dashboard-address", free
        worker = subprocess.Popen(
            [sys.executable, "-c", code, address, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield address
        finally:
            worker.terminate()
            worker.wait(timeout=300)


def test_a_worker_without_what_the_plan_needs_is_refused(plan, tmp_path, bare_worker):
    options = plan.model_options.model_copy(update={"device": "cuda"})
    for update, said in (
        ({}, "no worker declares a GPU"),
        ({"cpu_without_gpu": True}, "has no napari-sam2, but this is"),
    ):
        asked = options.model_copy(update=update)
        refused = plan.model_copy(update={"model_options": asked})
        with pytest.raises(InputError, match=said):
            run_plan(refused, tmp_path / "report", scheduler=OnWorkers(bare_worker))
    assert not (tmp_path / "sequential").exists()


@pytest.mark.parametrize("where", ["tcp://127.0.0.1:9", "moon"])
def test_a_scheduler_that_does_not_answer_is_refused(
    plan, tmp_path, where, monkeypatch
):
    monkeypatch.setattr(cluster, "FIRST_ANSWER", 1)
    with pytest.raises(InputError, match="no scheduler answers there"):
        run_plan(plan, tmp_path / "report", scheduler=OnWorkers(where))
    assert dask.config.get("scheduler", None) is None


@pytest.mark.parametrize("where", ["slurm", "sge", "lsf"])
def test_a_queue_that_is_not_here_or_not_set_up_is_refused(
    plan, tmp_path, where, monkeypatch
):
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    scheduler = OnWorkers(where)
    with pytest.raises(InputError, match="there is no program"):
        run_plan(plan, tmp_path / "report", scheduler=scheduler)
    monkeypatch.setattr(cluster.shutil, "which", lambda name: name)
    with pytest.raises(InputError, match=f"cores.* set up jobqueue.{where} in"):
        run_plan(plan, tmp_path / "report", scheduler=scheduler)


def test_workers_that_never_come_are_told(plan, tmp_path, monkeypatch, loop):
    monkeypatch.setattr(cluster, "FIRST_WORKER", 0.1)
    free = "127.0.0.1:0"
    with LocalCluster(loop=loop, n_workers=0, dashboard_address=free) as started:
        scheduler = OnWorkers(started.scheduler_address)
        with pytest.raises(InputError, match="no worker came within"):
            run_plan(plan, tmp_path / "report", scheduler=scheduler)

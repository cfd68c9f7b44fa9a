import threading

import pytest

from napari_sam2.engine.jobs import (
    Delivery,
    Failure,
    Finish,
    Job,
    JobQueue,
    Priority,
    run_jobs,
)
from napari_sam2.errors import InputError


def job(items, **options):
    """A job of these items; an exception among them is raised."""

    def steps():
        for item in items:
            if isinstance(item, Exception):
                raise item
            yield item

    return Job(steps, deliver=print, fail=print, **options)


def queue_of(*jobs):
    queue = JobQueue()
    for one in jobs:
        queue.add(one)
    return queue


def reports(*jobs):
    return list(run_jobs(queue_of(*jobs)))


def items(said):
    return [report.item for report in said if isinstance(report, Delivery)]


def test_jobs_of_a_kind_run_in_order():
    first, second = job("ab"), job("cd")
    said = reports(first, second)
    assert items(said) == ["a", "b", "c", "d"]
    assert [report.job for report in said if isinstance(report, Finish)] == [
        first,
        second,
    ]


def test_a_newer_job_takes_the_place_of_a_waiting_one_of_its_key():
    said = reports(job("a", key=1), job("b", key=2), job("c", key=1))
    assert items(said) == ["c", "b"]


def test_more_urgent_jobs_run_between_the_steps_of_others():
    queue = queue_of(job("xyz", priority=Priority.WARM))
    running = run_jobs(queue)
    assert next(running).item == "x"
    queue.add(job([1, 2], priority=Priority.TRACK))
    assert next(running).item == 1
    queue.add(job("a"))
    queue.add(job("e", priority=Priority.EDIT))
    assert items(running) == ["a", "e", 2, "y", "z"]


def test_a_second_long_job_waits_for_the_first():
    assert items(
        reports(job([1, 2], priority=Priority.TRACK), job([3], priority=Priority.TRACK))
    ) == [1, 2, 3]


@pytest.mark.parametrize("error", [InputError("no"), RuntimeError("out of memory")])
def test_an_error_ends_its_job_only(error):
    said = reports(job([1, error, 2]), job([3]))
    assert items(said) == [1, 3]
    (failure,) = [report for report in said if isinstance(report, Failure)]
    assert failure.error is error


def test_a_paused_job_lets_the_thread_end_and_goes_on_where_it_was():
    long = job([1, 2, 3], priority=Priority.TRACK)
    queue = queue_of(long)
    running = run_jobs(queue)
    assert next(running).item == 1
    long.pause()
    queue.add(job("a"))
    assert items(running) == ["a"]
    assert not queue.has_work
    assert long in queue
    long.resume()
    assert queue.has_work
    assert items(run_jobs(queue)) == [2, 3]


def closable(closed):
    def steps():
        try:
            yield from range(100)
        finally:
            closed.append(True)

    return Job(steps, deliver=print, fail=print, priority=Priority.TRACK)


@pytest.mark.parametrize("is_paused", [False, True])
def test_a_cancelled_job_tidies_up_before_anything_else(is_paused):
    closed = []
    long = closable(closed)
    queue = queue_of(long)
    running = run_jobs(queue)
    next(running)
    if is_paused:
        long.pause()
    queue.add(job("a"))
    long.cancel()
    assert next(running) == Finish(long, is_done=False)
    assert closed == [True]
    assert items(running) == ["a"]


@pytest.mark.parametrize("is_paused", [False, True])
def test_closing_ends_everything_and_tidies_up(is_paused):
    closed = []
    long = closable(closed)
    queue = queue_of(long)
    running = run_jobs(queue)
    next(running)
    if is_paused:
        long.pause()
        assert list(running) == []
        running = run_jobs(queue)
    queue.add(job("a"))
    queue.close()
    assert queue.has_work  # a paused job must tidy up as well
    assert list(running) == []
    assert closed == [True]
    queue.add(job("b"))
    assert not queue.has_work


def test_a_job_that_has_just_been_taken_is_not_replaced():
    queue = JobQueue()

    def steps():
        # The main thread asks again while the worker is about to begin.
        queue.add(job("b", key=1))
        return iter("a")

    queue.add(Job(steps, deliver=print, fail=print, key=1))
    said = list(run_jobs(queue))
    assert items(said) == ["a", "b"]
    assert len({report.job for report in said}) == 2


def test_a_bug_ends_what_has_begun_in_the_thread_that_ran_it():
    threads = []

    def steps():
        try:
            yield from range(100)
        finally:
            threads.append(threading.current_thread())

    paused = Job(steps, deliver=print, fail=print, priority=Priority.TRACK)
    queue = queue_of(paused)
    next(run_jobs(queue))
    paused.pause()
    broken = job([KeyError("a bug")])
    queue.add(broken)
    queue.add(job("c"))

    def work():
        with pytest.raises(KeyError, match="a bug"):
            list(run_jobs(queue))

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    assert queue.forget_begun() == [paused, broken]
    assert threads == [worker]
    assert items(run_jobs(queue)) == ["c"]


def test_what_cannot_tidy_up_does_not_keep_others_from_it():
    closed = []

    def steps(error):
        try:
            yield from range(100)
        finally:
            closed.append(error)
            if error is not None:
                raise error

    running = [steps(None), steps(InputError("the disk is full")), steps(None)]
    queue = JobQueue()
    for one in running:
        begun = Job(lambda it=one: it, print, print)
        queue.add(begun)
        next(run_jobs(queue))
        begun.pause()
    queue.close()
    with pytest.raises(InputError, match="the disk is full"):
        list(run_jobs(queue))
    assert len(closed) == 3

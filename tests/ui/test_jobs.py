import pytest

from napari_sam2.errors import InputError
from napari_sam2.ui.jobs import Delivery, Failure, Finish, Job, WaitingJobs, run_jobs


def job(items, **options):
    """A job of these items; an exception among them is raised."""

    def steps():
        for item in items:
            if isinstance(item, Exception):
                raise item
            yield item

    return Job(steps, deliver=print, fail=print, **options)


def reports(*jobs):
    waiting = WaitingJobs()
    for one in jobs:
        waiting.add(one)
    return list(run_jobs(waiting))


def items(said):
    return [report.item for report in said if isinstance(report, Delivery)]


def test_jobs_run_in_order():
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


def test_short_jobs_run_between_the_steps_of_one_that_gives_way():
    waiting = WaitingJobs()
    waiting.add(job([1, 2, 3], gives_way=True))
    running = run_jobs(waiting)
    assert next(running).item == 1
    waiting.add(job("ab"))
    assert items(running) == ["a", "b", 2, 3]


def test_a_second_long_job_waits_for_the_first():
    waiting = WaitingJobs()
    waiting.add(job([1, 2], gives_way=True))
    waiting.add(job([3], gives_way=True))
    assert items(run_jobs(waiting)) == [1, 2, 3]


@pytest.mark.parametrize("error", [InputError("no"), RuntimeError("out of memory")])
def test_an_error_ends_its_job_only(error):
    said = reports(job([1, error, 2]), job([3]))
    assert items(said) == [1, 3]
    (failure,) = [report for report in said if isinstance(report, Failure)]
    assert failure.error is error


def closable(closed):
    def steps():
        try:
            yield from range(100)
        finally:
            closed.append(True)

    return Job(steps, deliver=print, fail=print, gives_way=True)


def test_a_cancelled_job_tidies_up_before_it_says_so():
    closed, waiting = [], WaitingJobs()
    long = closable(closed)
    waiting.add(long)
    running = run_jobs(waiting)
    next(running)
    long.cancel()
    assert next(running) == Finish(long, is_done=False)
    assert closed == [True]
    assert list(running) == []


def test_closing_ends_everything_and_tidies_up():
    closed, waiting = [], WaitingJobs()
    waiting.add(closable(closed))
    running = run_jobs(waiting)
    next(running)
    waiting.add(job("a"))
    waiting.close()
    assert list(running) == []
    assert closed == [True]
    waiting.add(job("b"))
    assert len(waiting) == 0

"""A little of what ``python -m tools.soak`` does for hours."""

import itertools
from types import SimpleNamespace

import pytest
from tools.soak import __main__ as tool
from tools.soak.__main__ import KINDS, Tally, soak

ROUNDS = dict.fromkeys(KINDS, 40) | {"zarrs": 20, "runs": 8}


@pytest.mark.parametrize("kind", ROUNDS)
def test_broken_files_are_read_or_told_in_one_line(tmp_path, kind):
    tally = soak(kind, tmp_path, rounds=ROUNDS[kind], seconds=60, seed=7)
    assert tally.refused
    assert not tally.faults, tally.faults


def test_what_is_no_line_of_ours_is_a_fault(tmp_path):
    def fail(_path):
        raise KeyError("x")

    tally = Tally()
    tally.take(fail, tmp_path)
    assert tally.faults.total() == 1


@pytest.mark.parametrize(("seconds", "faults"), [([99, 99], 1), ([99, 1], 0)])
def test_a_reader_that_is_slow_each_time_is_a_fault(
    tmp_path, monkeypatch, seconds, faults
):
    """A machine that is busy with something else is slow once."""
    clock = itertools.accumulate(x for one in seconds for x in (0, one))
    times = SimpleNamespace(monotonic=lambda: next(clock))
    monkeypatch.setattr(tool, "time", times)
    tally = Tally()
    tally.take(lambda _path: None, tmp_path)
    assert tally.faults.total() == faults

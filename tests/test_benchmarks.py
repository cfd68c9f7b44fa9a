"""The side-by-side benchmark measures what is there and names what is not."""

from __future__ import annotations

import pytest
from benchmarks.side_by_side.cases import Case
from benchmarks.side_by_side.race import Runner, race, summary
from benchmarks.side_by_side.report import picture, table

TOY = Case("toy", 64, 2)


def runner(name: str, *seconds: float) -> Runner:
    turns = [{"cpu": each, "parts": {}, "peak": {"host": 1}} for each in seconds]
    return Runner(name, answers={"step": turns})


def test_ratios_are_of_turns_side_by_side() -> None:
    rows = summary(TOY, [runner("ours", 1.0, 2.0, 4.0), runner("sam2", 2.0, 3.0, 4.0)])
    assert rows[1]["ratio"] == 1.5
    assert rows[1]["ratios"] == [1.0, 2.0]


def test_what_is_missing_is_a_row() -> None:
    rows = summary(TOY, [runner("ours", 1.0), Runner("sam2", missing="not there")])
    assert "| sam2 | not measured: not there |" in table(rows)
    assert "sam2" not in picture(rows)


@pytest.mark.timeout(300)
def test_a_race_of_one() -> None:
    ours, base = race(TOY, ("ours", "base"), turns=2, verbs=("step", "click"))
    assert base.missing == "no --base"
    assert len(ours.answers["step"]) == len(ours.answers["click"]) == 2
    parts = ours.answers["step"][-1]["parts"]
    assert {"embed", "condition", "decode", "remember"} <= parts.keys()

"""The number of threads: chosen by a trial, remembered, overruled."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_sam2.batch import threads
from napari_sam2.batch.job import ModelOptions
from napari_sam2.batch.plan.making import pinned


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(threads.SAID_BY_SYSTEM, raising=False)
    monkeypatch.setattr(threads, "thread_counts", lambda: [1, 2])


class Clock:
    """Says how long a frame takes on so many threads, and counts the questions."""

    def __init__(self, **seconds: float) -> None:
        self.by_count = {int(key[1:]): value for key, value in seconds.items()}
        self.asked: list[int] = []

    def __call__(self, count: int) -> float:
        self.asked.append(count)
        return self.by_count[count]


@pytest.mark.parametrize(
    ("one", "two", "four", "taken"),
    [(1.0, 0.6, 0.35, 4), (1.0, 0.6, 0.58, 2), (1.0, 0.95, 0.93, 1), (1.0, 4, 0.5, 4)],
)
def test_more_threads_are_taken_where_they_are_worth_it(
    one: float, two: float, four: float, taken: int
) -> None:
    """They leave cores to others where they gain next to nothing."""
    clock = Clock(n1=one, n2=two, n4=four)
    assert threads.fastest([1, 2, 4], clock) == taken
    assert clock.asked == [1, 2, 4] * threads.TRIAL_ROUNDS, "in turns"


def test_a_choice_is_measured_once_for_a_machine_and_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another model, or another machine that shares the home, is measured anew."""
    memory, clock = tmp_path / "new" / "threads.json", Clock(n1=1.0, n2=0.5)
    assert threads.chosen_threads("nano", memory, clock) == 2
    slower = Clock(n1=1.0, n2=2.0)
    assert threads.chosen_threads("nano", memory, slower) == 2
    assert slower.asked == []
    monkeypatch.setattr(threads.platform, "node", lambda: "elsewhere")
    assert threads.chosen_threads("nano", memory, slower) == 1
    monkeypatch.setattr(threads, "weights_sha256", lambda _model: "0" * 64)
    assert threads.chosen_threads("nano", memory, clock) == 2


@pytest.mark.parametrize("content", ["", "[]", '{"a": "b"}', "{"])
def test_a_memory_that_nobody_can_read_is_made_anew(
    tmp_path: Path, content: str
) -> None:
    """It is only a memory."""
    memory = tmp_path / "threads.json"
    memory.write_text(content)
    assert threads.chosen_threads("nano", memory, Clock(n1=1.0, n2=0.5)) == 2
    assert threads.chosen_threads("nano", memory, Clock()) == 2


def test_a_memory_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """The choice holds for this process."""
    (tmp_path / "file").touch()
    memory = tmp_path / "file" / "threads.json"
    assert threads.chosen_threads("nano", memory, Clock(n1=1.0, n2=0.5)) == 2


def test_what_the_environment_says_is_taken_without_a_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever set it knows the machine."""
    monkeypatch.setenv(threads.SAID_BY_SYSTEM, "3")
    assert threads.chosen_threads("nano", tmp_path / "x.json", Clock()) == 3
    assert not (tmp_path / "x.json").exists()


def test_a_plan_holds_the_number_that_was_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nodes of a cluster compute on as many."""
    monkeypatch.setenv(threads.SAID_BY_SYSTEM, "3")
    options = ModelOptions(device="cpu", precision="fp32", threads="auto")
    assert pinned(options).threads == 3

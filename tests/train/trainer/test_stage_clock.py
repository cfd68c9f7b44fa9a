"""Time left: what was measured counts, what comes is in proportion."""

from __future__ import annotations

import pytest

from napari_sam2.commands.train import time_left
from napari_sam2.train.recipe.config import Source, Stage, TrainConfig
from napari_sam2.train.trainer.stage_clock import REMEMBERED, StageClock, step_cost

STILLS = Stage("image", 10, size=128, crops=2, objects=4)
CLIPS = Stage("clip", 10, frames=5, image_every=2, size=128, crops=2, objects=4)
CONFIG = TrainConfig("toy", (STILLS, CLIPS), (Source("x", "simulator", 1.0),))


def test_a_later_stage_costs_in_proportion():
    clock = StageClock(CONFIG)
    for step in range(4):
        clock.note(step, 2.0, 2.0)
    ratio = [
        step_cost(CLIPS, still) / step_cost(STILLS, True) for still in (True, False)
    ]
    expected = 6 * 2.0 + 2.0 * (5 * ratio[0] + 5 * ratio[1])
    assert clock.seconds_left(4) == pytest.approx(expected)
    assert expected > 6 * 2.0 + 10 * 2.0  # the mean of the past would be too little


def test_stills_and_clips_of_a_stage_are_measured_apart():
    clock = StageClock(CONFIG)
    clock.note(10, 1.0, 1.0)  # a still
    clock.note(11, 9.0, 9.0)  # a clip
    assert clock.seconds_left(12) == pytest.approx(4 * 1.0 + 4 * 9.0)
    assert clock.seconds_per_step(13) == 9.0


def test_validation_and_checkpoints_count():
    clock = StageClock(CONFIG)
    clock.note(11, 1.0, 1.5)
    clock.note(10, 1.0, 1.5)
    assert clock.seconds_left(18) == pytest.approx(2 * 1.0 + 2 * 0.5)


def test_only_the_latest_steps_count():
    clock = StageClock(CONFIG)
    for seconds in [100.0] * 5 + [1.0] * REMEMBERED:
        clock.note(0, seconds, seconds)
    assert clock.seconds_per_step(0) == 1.0


def test_at_the_end_nothing_is_left():
    clock = StageClock(CONFIG)
    clock.note(19, 1.0, 1.0)
    assert clock.seconds_left(20) == 0.0


def test_corrections_cost_more():
    corrected = Stage("c", 1, frames=5, corrections=2, crops=2, objects=4)
    plain = Stage("p", 1, frames=5, crops=2, objects=4)
    assert step_cost(corrected, False) > step_cost(plain, False)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "about 1 s left"),
        (75, "about 75 s left"),
        (600, "about 10 min left"),
        (3 * 3600 + 300, "about 3 h 5 min left"),
        (3 * 86400 + 7200, "about 3 d 2 h left"),
    ],
)
def test_time_in_words(seconds, words):
    assert time_left(seconds) == words

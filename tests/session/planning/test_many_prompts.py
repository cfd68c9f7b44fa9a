"""Tens of thousands of prompts cost what they are, not the square of it: counted."""

from pathlib import Path

import pytest

from napari_sam2.io.prompts.bounds import PromptBounds
from napari_sam2.io.prompts.json_file import ObjectEntry, PromptEntry, _read_object
from napari_sam2.prompts import FramePrompt, PointPrompt, PromptedObject
from napari_sam2.session.planning.plan import (
    FrameRange,
    Plan,
    bounding_anchors,
    object_lives,
)
from napari_sam2.session.planning.resolution import resolution
from napari_sam2.session.planning.walks import walked_frames, walks

COUNTS = (200, 800)


class Counted(int):
    """A frame number that counts how often one is compared with another."""

    compared = 0
    __hash__ = int.__hash__

    def _counting(name):
        inner = getattr(int, name)

        def compare(self, other):
            Counted.compared += 1
            return inner(self, other)

        return compare

    __eq__, __lt__ = _counting("__eq__"), _counting("__lt__")
    __le__, __gt__ = _counting("__le__"), _counting("__gt__")


def comparisons(work, count):
    Counted.compared = 0
    work(count)
    return Counted.compared


def read(count):
    prompts = [
        PromptEntry.model_construct(frame=Counted(frame), points=[[3.0, 4.0]])
        for frame in range(count)
    ]
    entry = ObjectEntry.model_construct(id=1, prompts=prompts)
    bounds = PromptBounds((64, 80), count)
    assert len(_read_object(entry, Path("clicks.json"), bounds).prompts) == count


def walked(count):
    prompts = tuple(
        FramePrompt(1, Counted(2 * frame), (PointPrompt(3, 4),))
        for frame in range(count)
    )
    objects = [PromptedObject(1, prompts)]
    plan = Plan(FrameRange(0, 2 * count))
    lives = object_lives(objects, 2 * count)
    planned = walks(lives, plan)
    needed = {1: bounding_anchors(lives[0], walked_frames(planned, 1))}
    first = resolution(objects, needed)
    for frame in range(2 * count):
        assert (
            first.objects_at(Counted(frame))
            == (() if frame == 0 else (1,))[: 2 * count - 1 - frame]
        )
        assert [walk.written_at(Counted(frame)) for walk in planned] == [(1,)]
        planned[0].beginning_at(Counted(frame))


@pytest.mark.parametrize("work", [read, walked])
def test_four_times_as_many_prompts_cost_little_more_than_four_times(work):
    few, many = (comparisons(work, count) for count in COUNTS)
    assert 0 < many < 6 * few

"""A killed window loses nothing that was seen: the session opens and goes on."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.engine.engine_steps import Table, click, movie_input
from tests.engine.killed_session import square

from napari_sam2.engine import Request, ScoresRead

if sys.platform == "win32":
    pytest.skip("has no SIGKILL", allow_module_level=True)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def kill(tmp_path, stack, toy):
    """Return a function that lets somebody work and kills them after so many lines."""
    np.save(tmp_path / "stack.npy", stack)

    def run(folder, what, lines, milliseconds):
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.engine.killed_session", toy),
                *(str(tmp_path / "stack.npy"), str(folder), what),
            ],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        said = [process.stdout.readline().strip() for _ in range(lines)]
        time.sleep(milliseconds / 1000)
        process.kill()
        rest, _ = process.communicate()
        return said + rest.split()

    return run


def reopened(folder, stack, model):
    table = Table(Request(movie_input(stack), model, folder), len(stack))
    (read,) = table.engine.read_session(folder)
    table.book.replace(read.document.book)
    list(table.engine.prepare(table.request))
    events = list(table.engine.adopt(table.request, table.book.state))
    assert isinstance(events[-1], ScoresRead)
    return table


def test_killed_while_painting(kill, tmp_path, stack, toy):
    folder = tmp_path / "painted.zarr"
    said = kill(folder, "paint", 4, 25)
    painted = [int(line) for line in said if line.isdecimal()]
    table = reopened(folder, stack, toy)
    for frame_index in painted:
        mask = square(frame_index, stack.shape[1:])
        np.testing.assert_array_equal(table.labels(frame_index) == 2, mask)
        said_there = table.book.state[2].prompt_at(frame_index)
        np.testing.assert_array_equal(said_there.mask.mask, mask)
    assert table.book.state[1].anchors == (0,)
    before = table.labels(painted[-1])
    steps = len(table.book.state[2].anchors)
    table.turn(table.engine.undo)
    assert len(table.book.state[2].anchors) == steps - 1
    table.turn(table.engine.redo)
    np.testing.assert_array_equal(table.labels(painted[-1]), before)


def test_killed_while_tracking(kill, tmp_path, stack, toy):
    folder = tmp_path / "tracked.zarr"
    said = kill(folder, "track", 6, 10)
    table = reopened(folder, stack, toy)
    for frame_index in map(int, said[1:]):
        assert (table.labels(frame_index) == 1).any()
    table.track()
    unbroken = Table(
        Request(movie_input(stack), toy, tmp_path / "whole.zarr"), len(stack)
    )
    unbroken.say(click(1, 0, (30, 40)))
    unbroken.track()
    for frame_index in range(len(stack)):
        np.testing.assert_array_equal(
            table.labels(frame_index), unbroken.labels(frame_index)
        )


def test_killed_while_a_correction_is_repaired(kill, tmp_path, stack, toy):
    folder = tmp_path / "corrected.zarr"
    kill(folder, "repair", 5, 5)
    table = reopened(folder, stack, toy)
    assert table.book.state[1].anchors == (0, 4)
    before = Table(
        Request(movie_input(stack), toy, tmp_path / "before.zarr"), len(stack)
    )
    before.say(click(1, 0, (30, 40)))
    before.track()
    partly = [table.labels(frame) for frame in range(len(stack))]
    table.turn(table.engine.undo)
    assert table.book.state[1].anchors == (0,)
    assert not table.book.state[1].stale
    was = [before.labels(frame) for frame in range(len(stack))]
    np.testing.assert_array_equal(
        [table.labels(frame) for frame in range(len(stack))], was
    )
    table.turn(table.engine.redo)
    assert table.book.state[1].anchors == (0, 4)
    again = [table.labels(frame) for frame in range(len(stack))]
    np.testing.assert_array_equal(again, partly)
    assert (np.array(again) != was).any()

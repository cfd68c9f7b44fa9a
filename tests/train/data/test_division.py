"""Division: two daughters with the mother's texture, and no mother."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam2.train.data.absence import Scene
from napari_sam2.train.data.clips import make_clip
from napari_sam2.train.data.division import SMALLEST_MOTHER, divide
from napari_sam2.train.data.examples import Corpus, prepare
from napari_sam2.train.data.motion import CropStyle

SIDE, COUNT, MOTHER, NEIGHBOUR = 80, 5, 3, 7


def scene(angle: float = 0.0, length: float = 15.0) -> Scene:
    """A bright ellipse in the middle that moves to the right, a neighbour at a rim."""
    y, x = np.mgrid[:SIDE, :SIDE]
    labels = np.zeros((COUNT, SIDE, SIDE), np.int32)
    for frame in range(COUNT):
        dy, dx = y - 40, x - 36 - frame
        along = dy * np.sin(angle) + dx * np.cos(angle)
        across = dx * np.sin(angle) - dy * np.cos(angle)
        labels[frame][(along / length) ** 2 + (across / 9) ** 2 <= 1] = MOTHER
    labels[:, 2:12, :30] = NEIGHBOUR
    noise = np.random.default_rng(0).normal(0, 0.02, (SIDE, SIDE))
    grey = np.where(labels > 0, 0.8, 0.2) + noise
    return Scene(torch.from_numpy(grey).float()[:, None].repeat(1, 3, 1, 1), labels)


def daughters(labels: np.ndarray) -> list[int]:
    return np.setdiff1d(labels, [0, MOTHER, NEIGHBOUR]).tolist()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.floats(0, np.pi), st.integers(1, COUNT - 1))
def test_a_mother_becomes_two_that_have_her_area_and_texture(seed, angle, first):
    before, after = scene(angle), scene(angle)
    assert divide(after, MOTHER, first, np.random.default_rng(seed))
    assert torch.equal(after.frames[:first], before.frames[:first])
    np.testing.assert_array_equal(after.labels[:first], before.labels[:first])
    assert not (after.labels[first:] == MOTHER).any()
    pair = daughters(after.labels)
    assert len(pair) == 2
    for frame in range(first, COUNT):
        labels = after.labels[frame]
        areas = [(labels == daughter).sum() for daughter in pair]
        assert 0.85 < sum(areas) / (before.labels[frame] == MOTHER).sum() <= 1
        assert 0.7 < areas[0] / areas[1] < 1.4
        bright = after.frames[frame][0].numpy() > 0.5
        # Edges are soft for a pixel.
        assert np.mean(bright != (labels > 0)) < 0.025
        np.testing.assert_array_equal(
            labels == NEIGHBOUR, before.labels[frame] == NEIGHBOUR
        )


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.floats(0, np.pi))
def test_daughters_drift_apart_along_the_major_axis(seed, angle):
    after = scene(angle, length=20.0)
    divide(after, MOTHER, 1, np.random.default_rng(seed))
    pair = daughters(after.labels)
    ways = []
    for labels in after.labels[1:]:
        one, two = (np.argwhere(labels == i).mean(axis=0) for i in pair)
        ways.append(two - one)
    far = np.linalg.norm(ways, axis=1)
    assert (np.diff(far) >= -1.0).all()  # whole pixels
    assert far[-1] > far[0]
    axis = np.array([np.sin(angle), np.cos(angle)])
    assert (np.abs(np.array(ways) @ axis) > 0.97 * far).all()


def test_a_gap_lies_between_daughters():
    after = scene()
    divide(after, MOTHER, 2, np.random.default_rng(1))
    row = after.labels[2, 40]
    inside = np.flatnonzero(row)
    assert (row[inside[0] : inside[-1]] == 0).any()


def test_small_and_cut_objects_do_not_divide():
    after, before = scene(), scene()
    assert not divide(after, NEIGHBOUR, 1, np.random.default_rng(0))
    after.labels[1][after.labels[1] == MOTHER] = 0
    after.labels[1].flat[SIDE + 1 : SIDE + SMALLEST_MOTHER] = MOTHER
    assert not divide(after, MOTHER, 1, np.random.default_rng(0))
    assert torch.equal(after.frames, before.frames)


def test_in_clips_mothers_are_absent_for_good():
    one = scene()
    frames = (one.frames.clamp(0, 1).permute(0, 2, 3, 1).numpy() * 255).astype(np.uint8)
    source = SimpleNamespace(name="cell", frames=frames[:1], labels=one.labels[:1])
    corpus = Corpus(((prepare(source),),), (1.0,))
    style = CropStyle(6, 64, (14.0, 20.0), 0.3, division=1.0, reverse=0.5)
    ended = 0
    for seed in range(12):
        clip = make_clip(corpus, style, 2, np.random.default_rng(seed))
        seen = clip.masks.flatten(2).any(dim=2)
        assert seen[0].all()
        for row in range(2):
            born = [len(np.unique(labels)) for labels in clip.labels]
            if not seen[-1, row] and max(born) > born[0]:
                ended += 1
                first = int(torch.argmin(seen[:, row].int()))
                assert not seen[first:, row].any()
    assert ended >= 8
    still = make_clip(corpus, style, 2, np.random.default_rng(0))
    again = make_clip(corpus, style, 2, np.random.default_rng(0))
    assert torch.equal(still.frames, again.frames)

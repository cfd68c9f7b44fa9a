"""Objects that are made absent: gone where they were, and nobody else."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam2.train.data.absence import (
    FOREIGN,
    SMALLEST_SIGHT,
    Scene,
    cover,
    cross,
    erase,
    make_absent,
)
from napari_sam2.train.data.clips import disturb, make_clip, visible_masks
from napari_sam2.train.data.examples import Corpus, prepare
from napari_sam2.train.data.motion import CropStyle

SIDE = 64
MIDDLE = 5


def scene(count: int = 4) -> Scene:
    """Nine bright discs of ids 1–9, the middle one (5) alone; 5 touches 6."""
    y, x = np.mgrid[:SIDE, :SIDE]
    labels = np.zeros((count, SIDE, SIDE), np.int32)
    for index in range(9):
        cy, cx = 10 + 21 * (index // 3), 10 + 21 * (index % 3)
        labels[:, (y - cy) ** 2 + (x - cx) ** 2 <= 36] = index + 1
    labels[:, 28:35, 37:46] = 6
    noise = np.random.default_rng(0).normal(0, 0.02, (SIDE, SIDE))
    grey = np.where(labels > 0, 0.8, 0.2) + noise
    frames = torch.from_numpy(grey).float()[:, None].repeat(1, 3, 1, 1)
    return Scene(frames, labels)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 9))
def test_an_erased_object_is_gone_and_its_neighbours_stay(seed, object_id):
    before, after = scene(), scene()
    erase(after, object_id, range(1, 3), np.random.default_rng(seed))
    was = before.labels[1] == object_id
    for frame in (1, 2):
        assert not (after.labels[frame] == object_id).any()
        assert after.frames[frame][:, was].mean() < 0.35  # background is 0.2
        others = (before.labels[frame] > 0) & ~was
        np.testing.assert_array_equal(
            after.labels[frame][others], before.labels[frame][others]
        )
        assert torch.equal(
            after.frames[frame][:, others], before.frames[frame][:, others]
        )
    for frame in (0, 3):
        assert torch.equal(after.frames[frame], before.frames[frame])
        np.testing.assert_array_equal(after.labels[frame], before.labels[frame])


def test_what_replaces_it_has_texture():
    after = scene()
    was = after.labels[1] == MIDDLE
    erase(after, MIDDLE, range(1, 2), np.random.default_rng(1))
    assert after.frames[1][0, was].std() > 0.008  # the background's is 0.02


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_a_covered_object_is_hidden_while_it_is_covered(seed):
    before, after = scene(), scene()
    cover(after, MIDDLE, range(2, 4), np.random.default_rng(seed))
    for frame in (2, 3):
        hidden = (before.labels[frame] == MIDDLE) & (after.labels[frame] != MIDDLE)
        share = hidden.sum() / (before.labels[frame] == MIDDLE).sum()
        assert share > 0.9
    assert torch.equal(after.frames[:2], before.frames[:2])
    own = after.labels[after.labels < FOREIGN]
    assert set(np.unique(own)) <= set(range(10))


def test_pixels_change_only_where_something_crosses():
    before, after = scene(), scene()
    cross(after, np.random.default_rng(4))
    assert torch.equal(after.frames[0], before.frames[0])
    assert not torch.equal(after.frames[1:], before.frames[1:])
    untouched = after.labels == before.labels
    changed = (after.frames != before.frames).any(dim=1).numpy()
    # Background may be covered by background, so equal labels may hide new pixels.
    assert (changed | untouched).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_the_prompted_frame_is_never_touched(seed):
    before = scene()
    random = np.random.default_rng(seed)
    after = make_absent(before, np.arange(1, 10), scene(1), 0.5, random)
    assert torch.equal(after.frames[0], before.frames[0])
    np.testing.assert_array_equal(after.labels[0], before.labels[0])
    assert torch.equal(before.frames, scene().frames)


def test_after_a_cut_other_objects_have_other_ids(monkeypatch):
    monkeypatch.setattr("napari_sam2.train.data.absence.CUT", 1.0)
    monkeypatch.setattr("napari_sam2.train.data.absence.CROSSING", 0.0)
    random = np.random.default_rng(0)
    after = make_absent(scene(), np.array([], int), scene(1), 1.0, random)
    cut = [frame for frame in range(4) if after.labels[frame].max() > FOREIGN]
    assert cut
    assert all(not np.isin(after.labels[frame], range(1, 10)).any() for frame in cut)


def test_a_sliver_counts_as_absent():
    labels = np.zeros((1, SIDE, SIDE), np.int32)
    labels[0, 0, : SMALLEST_SIGHT - 1] = 1
    labels[0, 5, :SMALLEST_SIGHT] = 2
    masks = visible_masks(labels, np.array([1, 2]))
    assert masks.flatten(2).sum(dim=2).tolist() == [[0, SMALLEST_SIGHT]]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    one = scene(1)
    frames = (one.frames.clamp(0, 1).permute(0, 2, 3, 1).numpy() * 255).astype(np.uint8)
    source = SimpleNamespace(name="discs", frames=frames, labels=one.labels)
    return Corpus(((prepare(source),),), (1.0,))


def test_about_a_third_of_the_objects_are_absent_at_times(corpus):
    style = CropStyle(7, SIDE, (10.0, 16.0), 0.7, absence=0.3, reverse=0.5)
    gone = []
    for seed in range(40):
        masks = make_clip(corpus, style, 6, np.random.default_rng(seed)).masks
        seen = masks.flatten(2).any(dim=2)
        assert seen[0].all()
        gone += (~seen).any(dim=0).tolist()
    assert 0.22 < np.mean(gone) < 0.5


def test_a_clip_of_others_can_be_disturbed(corpus):
    whole = scene()
    random = np.random.default_rng(2)
    _, labels = disturb(whole.frames, whole.labels, corpus, random, absence=0.9)
    gone = [i for i in range(1, 10) if not (labels == i).any(axis=(1, 2)).all()]
    assert len(gone) > 4

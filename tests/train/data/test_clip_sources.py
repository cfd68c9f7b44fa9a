"""What clips are drawn from: objects of any size, other places, no endless search."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_sam2.errors import InputError
from napari_sam2.train.data import clips
from napari_sam2.train.data.absence import FOREIGN, Scene, make_absent
from napari_sam2.train.data.clips import animate, disturb, draw_view, make_clip
from napari_sam2.train.data.examples import UNKNOWN, Corpus, Example, prepare
from napari_sam2.train.data.motion import CropStyle, sample_frames

STYLE = CropStyle(frames=3, size=64, diameter=(12.0, 30.0))


def movie(
    name: str, labels: np.ndarray, grey: int = 200, *, is_complete: bool = True
) -> Example:
    frames = np.where(labels > 0, grey, 30).astype(np.uint8)[..., None]
    source = SimpleNamespace(name=name, frames=frames, labels=labels)
    return prepare(source, is_complete=is_complete)


def disc(side: int, radius: int, frames: int = 1) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    labels = (y**2 + x**2 <= radius**2).astype(np.int32)
    return np.repeat(labels[None], frames, axis=0)


def corpus_of(*examples: Example) -> Corpus:
    return Corpus((examples,), (1.0,))


@pytest.fixture
def few_attempts(monkeypatch):
    monkeypatch.setattr(clips, "ATTEMPTS", 20)


@pytest.mark.usefixtures("few_attempts")
@pytest.mark.parametrize("radius", [10, 330, 700])
def test_objects_of_any_size_are_shown_whole(radius):
    corpus = corpus_of(movie("large.tif", disc(1500, radius)))
    view = CropStyle(1, 64, (12.0, 30.0))
    for seed in range(5):
        clip = make_clip(corpus, view, 1, np.random.default_rng(seed))
        assert 0.01 < float(clip.masks[0].float().mean()) < 0.4


def test_far_views_are_means_of_many_pixels():
    noise = np.random.default_rng(0).integers(0, 256, (1, 1024, 1024, 1), np.uint8)
    source = SimpleNamespace(name="noise", frames=noise, labels=disc(1024, 500))
    places = np.arange(16, dtype=np.float32) * 64 + 31.5
    grid = np.stack(np.meshgrid(places, places), axis=-1)[None]
    seen = sample_frames(prepare(source), grid)
    assert float(seen.std()) < 0.02  # of one pixel it would be 0.29


@pytest.mark.usefixtures("few_attempts")
def test_objects_of_the_last_frames_alone_are_refused_by_name():
    labels = disc(96, 20, frames=3)
    labels[:2] = 0
    with pytest.raises(InputError, match=r"late\.zarr.*reverse"):
        make_clip(
            corpus_of(movie("late.zarr", labels)), STYLE, 2, np.random.default_rng(0)
        )


@pytest.mark.usefixtures("few_attempts")
def test_many_useless_examples_are_named_in_part():
    labels = disc(96, 20, frames=3)
    labels[:2] = 0
    corpus = corpus_of(*(movie(f"m{index}", labels) for index in range(9)))
    with pytest.raises(InputError, match=r"m\d, m\d, m\d and \d more: no crop"):
        draw_view(corpus, STYLE, 2, np.random.default_rng(0))


def test_a_corpus_without_objects_is_refused_by_name():
    corpus = corpus_of(movie("empty.png", np.zeros((1, 80, 80), np.int32)))
    with pytest.raises(InputError, match=r"empty\.png: no object"):
        corpus.pick(np.random.default_rng(0))


def test_a_drawn_view_shows_its_objects():
    example = movie("one", disc(96, 20))
    shown, view, ids = draw_view(corpus_of(example), STYLE, 2, np.random.default_rng(0))
    assert shown is example
    assert ids.tolist() == [1, 1]
    assert (view.labels[0] == 1).any()


# --- Cuts


def always_cut(monkeypatch) -> None:
    monkeypatch.setattr("napari_sam2.train.data.absence.CUT", 1.0)
    monkeypatch.setattr("napari_sam2.train.data.absence.CROSSING", 0.0)
    monkeypatch.setattr("napari_sam2.train.data.absence.erase", lambda *_: None)
    monkeypatch.setattr("napari_sam2.train.data.absence.cover", lambda *_: None)


@pytest.mark.parametrize("names", [("one",), ("a.zarr 0-2 of 1", "a.zarr 7-9")])
def test_no_scene_is_cut_to_the_movie_itself(monkeypatch, names):
    always_cut(monkeypatch)
    corpus = corpus_of(*(movie(name, disc(96, 45, frames=3)) for name in names))
    style = CropStyle(3, 64, (20.0, 30.0), absence=1.0)
    for seed in range(10):
        clip = make_clip(corpus, style, 1, np.random.default_rng(seed))
        assert (clip.labels < FOREIGN).all()
        random = np.random.default_rng(seed)
        example, view, _ = draw_view(corpus, style, 1, random)
        _, labels = disturb(
            view.frames, view.labels, corpus, random, absence=1.0, example=example
        )
        assert (labels < FOREIGN).all()


def test_scenes_are_cut_to_another_movie(monkeypatch):
    always_cut(monkeypatch)
    examples = [movie(name, disc(96, 45, frames=3)) for name in ("one", "two")]
    style = CropStyle(3, 64, (20.0, 30.0), absence=1.0)
    labels = [
        make_clip(corpus_of(*examples), style, 1, np.random.default_rng(seed)).labels
        for seed in range(5)
    ]
    assert all((one > FOREIGN).any() for one in labels)


def test_what_is_unknown_stays_unknown_after_a_cut(monkeypatch):
    always_cut(monkeypatch)
    partly = movie("two", disc(96, 20, frames=3), is_complete=False)
    corpus = corpus_of(partly)
    frames, labels = animate(
        movie("one", disc(96, 20, frames=3)), STYLE, np.random.default_rng(0)
    )
    random = np.random.default_rng(0)
    _, after = disturb(frames, labels, corpus, random, absence=1.0)
    assert (after == UNKNOWN).any()


def test_without_another_place_there_is_no_cut(monkeypatch):
    always_cut(monkeypatch)
    scene = Scene(torch.rand(4, 3, 64, 64), disc(64, 10, frames=4))
    after = make_absent(scene, np.array([1]), None, 1.0, np.random.default_rng(0))
    assert torch.equal(after.frames, scene.frames)

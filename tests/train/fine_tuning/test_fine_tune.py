"""Fine-tuning: what teaches, what is refused, what is kept and what never touched."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_sam2.errors import InputError
from napari_sam2.generators import WithResult
from napari_sam2.model.checkpoints.checkpoint import build_model, load_model, save_model
from napari_sam2.model.checkpoints.notes import read_notes
from napari_sam2.model.config import CONFIGS
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.train.data.examples import prepare
from napari_sam2.train.fine_tuning import run as fine_tuning_run
from napari_sam2.train.fine_tuning.card import base_title
from napari_sam2.train.fine_tuning.fine_tune import fine_tune
from napari_sam2.train.fine_tuning.movie import (
    TaughtMovie,
    check_enough,
    examples_of,
    parted,
)
from napari_sam2.train.fine_tuning.plan import FineTuneSettings, plan_training
from napari_sam2.train.fine_tuning.run import (
    BLENDS,
    FineTuneRun,
    Scored,
    best_blend,
    blended,
    rate_share,
)
from napari_sam2.train.fine_tuning.score import held_out_score

FRAMES, SIDE = 12, 64
SETTINGS = FineTuneSettings("my-discs", steps=3, device="cpu")


def discs(frames=FRAMES, objects=2, trusted=None):
    """Bright discs that drift; trusted everywhere unless said otherwise."""
    y, x = np.mgrid[:SIDE, :SIDE]
    labels = np.zeros((frames, SIDE, SIDE), np.int32)
    for frame in range(frames):
        for one in range(objects):
            inside = (y - 16 - 30 * one) ** 2 + (x - 20 - frame) ** 2 <= 64
            labels[frame][inside] = one + 1
    pixels = np.where(labels > 0, 200, 40).astype(np.uint8)[..., None]
    everywhere = FrameSet.between(0, frames - 1)
    ids = range(1, objects + 1)
    trusted = trusted or dict.fromkeys(ids, everywhere)
    return TaughtMovie("discs", np.arange(frames), pixels, labels, trusted)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    model = build_model("toy", seed=3)
    with torch.no_grad():
        model.mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(2.0)
    path = tmp_path_factory.mktemp("base") / "toy.safetensors"
    save_model(model, path, notes={"trust": "fitted"})
    return path


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Own models go here; rehearsal is short."""
    monkeypatch.setenv("NAPARI_SAM2_CACHE", str(tmp_path))
    rehearsed = prepare(replace(discs(3), name="rehearsed"))
    monkeypatch.setattr(
        fine_tuning_run, "simulated_examples", lambda count, seed: [rehearsed]
    )
    return tmp_path / "own"


def finished(steps):
    """Return what was yielded, and the result."""
    taken = WithResult(steps)
    return list(taken), taken.result


def scored_like(monkeypatch, *values):
    """Let held-out scores be the given ones, the last for ever."""
    left = list(values)

    def score(_model, movies, _device="cpu"):
        if movies[0].name != "discs":
            return 0.5
        return left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr(fine_tuning_run, "held_out_score", score)


# --- What teaches


def test_the_last_quarter_is_held_out():
    train, held_out = parted(discs(20))
    assert train.numbers.tolist() == list(range(15))
    assert held_out.numbers.tolist() == list(range(15, 20))
    assert held_out.trusted[1] == FrameSet.between(0, 4)
    np.testing.assert_array_equal(held_out.labels, discs(20).labels[15:])


def test_what_is_not_trusted_teaches_neither_presence_nor_absence():
    trusted = {1: FrameSet.between(0, 8), 2: FrameSet.between(3, 8)}
    one, two = examples_of(discs(9, trusted=trusted))
    assert (len(one.labels), len(two.labels)) == (9, 6)
    assert (np.unique(one.labels).tolist(), np.unique(two.labels).tolist()) == (
        [0, 1],
        [0, 2],
    )
    assert not one.is_complete
    assert all((labels > 0).any() for labels in two.labels)


def test_clips_do_not_jump_over_frames_that_were_left_out():
    movie = replace(discs(9), numbers=np.array([0, 1, 2, 3, 40, 41, 42, 43, 44]))
    names = [example.name for example in examples_of(movie)]
    assert names == ["discs 0-3", "discs 40-44"]


@pytest.mark.parametrize(
    ("movie", "reason"),
    [
        (discs(objects=1), "1 masklet is too little"),
        (discs(7), "7 frames"),
        (discs(trusted={1: FrameSet.between(0, 8), 2: FrameSet.of([3])}), "10 masks"),
        (
            discs(24, trusted=dict.fromkeys((1, 2), FrameSet.between(0, 10))),
            "last quarter",
        ),
        (
            discs(24, trusted=dict.fromkeys((1, 2), FrameSet.between(18, 23))),
            "first three quarters",
        ),
    ],
)
def test_too_little_is_refused_with_a_reason(movie, reason):
    with pytest.raises(InputError, match=reason):
        check_enough([movie])


# --- What comes of it


def test_a_better_model_is_kept_beside_its_card_and_the_base_stays(
    base, folder, monkeypatch
):
    before = base.read_bytes()
    scored_like(monkeypatch, 0.4, 0.6)
    progress, result = finished(fine_tune(str(base), [discs()], SETTINGS))
    assert base.read_bytes() == before
    assert result.path == folder / "my-discs.safetensors"
    assert (result.before, result.after) == (0.4, 0.6)
    assert [one.step for one in progress if one.loss is not None] == [1, 2, 3]
    assert progress[-1].done == 1.0
    assert [one.held_out for one in progress if one.held_out] == [0.4, 0.6, 0.6, 0.6]
    notes = read_notes(result.path)
    assert (notes["base"], notes["trust"]) == ("toy", "fitted")
    assert (notes["held_out_before"], notes["held_out_after"]) == ("0.400", "0.600")
    card = result.path.with_suffix(".md").read_text(encoding="utf-8")
    assert card == result.card
    assert "masklets 1, 2" in card
    tuned, old = load_model("my-discs"), load_model(base)
    assert not torch.equal(
        tuned.mask_decoder.iou_token.weight, old.mask_decoder.iou_token.weight
    )


def test_what_is_no_better_is_not_kept(base, folder, monkeypatch):
    scored_like(monkeypatch, 0.4, 0.402)
    _, result = finished(fine_tune(str(base), [discs()], SETTINGS))
    assert not result.is_better
    assert "go on with toy" in result.sentence
    assert not folder.exists()


def test_stopping_keeps_the_best_so_far(base, monkeypatch):
    scored_like(monkeypatch, 0.4, 0.6)
    steps = fine_tune(
        str(base), [discs()], replace(SETTINGS, steps=500), is_stopped=lambda: True
    )
    _, stopped_at_once = finished(steps)
    assert not stopped_at_once.is_better
    scored_like(monkeypatch, 0.4, 0.6)
    answers = iter([False, False, True])
    steps = fine_tune(
        str(base),
        [discs()],
        replace(SETTINGS, steps=500),
        is_stopped=lambda: next(answers),
    )
    _, result = finished(steps)
    assert (result.steps, result.is_better) == (2, True)


def test_closing_keeps_nothing(base, folder):
    steps = fine_tune(str(base), [discs()], SETTINGS)
    while next(steps).step < 2:
        pass
    steps.close()
    assert not folder.exists()


def test_falling_scores_end_it_early(base, monkeypatch):
    scored_like(monkeypatch, 0.5, 0.6, 0.5)
    _, result = finished(
        fine_tune(str(base), [discs()], replace(SETTINGS, steps=24, learning_rate=0.0))
    )
    assert result.steps == 10  # the best at step 2, then four that are worse


@pytest.mark.parametrize("learns", ["everything", "low_rank"])
def test_the_best_moment_stays_as_it_was(base, monkeypatch, learns):
    scored_like(monkeypatch, 0.4, 0.6, 0.5)
    settings = replace(SETTINGS, learns=learns, learning_rate=0.01)
    run = FineTuneRun(str(base), load_model(base), [discs()], settings)
    run.measure_base()
    run.advance(0.5)
    assert run.check() == 0.6
    best = {name: tensor.clone() for name, tensor in run.best.state_dict().items()}
    run.advance(0.5)
    assert run.check() == 0.5
    kept = run.best.state_dict()
    assert [name for name in best if not torch.equal(best[name], kept[name])] == []


@pytest.mark.parametrize("name", ["loss", "norm"])
@pytest.mark.parametrize("broken_step", [1, 3])
def test_a_loss_that_is_no_number_ends_it_with_the_best_before(
    base, folder, monkeypatch, name, broken_step
):
    train_step = fine_tuning_run.train_step

    def breaking(config, state, *others):
        values = train_step(config, state, *others)
        if state.step < broken_step:
            return values
        for parameter in state.average.parameters():
            parameter.fill_(np.nan)
        return {**values, name: np.nan}

    monkeypatch.setattr(fine_tuning_run, "train_step", breaking)
    scored_like(monkeypatch, 0.4, 0.6)
    settings = replace(SETTINGS, steps=12)
    progress, result = finished(fine_tune(str(base), [discs()], settings))
    assert result.steps == broken_step
    assert f"step {broken_step} is no number" in result.sentence
    assert all(np.isfinite(one.loss) for one in progress if one.loss is not None)
    assert result.is_better == (broken_step > 1) == folder.exists()
    if result.is_better:
        tensors = load_model(result.path).state_dict().values()
        assert all(torch.isfinite(tensor).all() for tensor in tensors)


def test_equal_seeds_give_equal_weights(base, monkeypatch):
    scored_like(monkeypatch, 0.4, 0.6)
    paths = []
    for name in ("one", "two"):
        settings = replace(SETTINGS, name=name, steps=2)
        paths.append(finished(fine_tune(str(base), [discs()], settings))[1].path)
        scored_like(monkeypatch, 0.4, 0.6)
    one, two = (load_model(path).state_dict() for path in paths)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_low_rank_corrections_become_an_ordinary_file(base, monkeypatch):
    scored_like(monkeypatch, 0.4, 0.6)
    settings = replace(SETTINGS, learns="low_rank", learning_rate=0.01)
    _, result = finished(fine_tune(str(base), [discs()], settings))
    tuned, old = load_model(result.path).state_dict(), load_model(base).state_dict()
    as_written = {name: tensor.half().float() for name, tensor in old.items()}
    changed = {n for n in old if not torch.equal(tuned[n], as_written[n])}
    assert changed
    assert all("proj" in name or "qkv" in name for name in changed)


def test_a_name_that_is_taken_is_refused(base, folder):
    folder.mkdir()
    (folder / "my-discs.safetensors").write_bytes(b"precious")
    with pytest.raises(InputError, match="already"):
        next(fine_tune(str(base), [discs()], SETTINGS))
    assert (folder / "my-discs.safetensors").read_bytes() == b"precious"


def test_a_budget_in_minutes_is_kept(base, monkeypatch):
    scored_like(monkeypatch, 0.4, 0.6)
    settings = replace(SETTINGS, steps=0, minutes=0.1)
    progress, result = finished(fine_tune(str(base), [discs()], settings))
    assert result.steps >= 1
    assert progress[-1].seconds_left < 6
    assert result.seconds < 30


# --- Pieces


def test_the_score_is_that_of_the_tracker(base):
    movie = discs()
    model = load_model(base)
    assert 0.0 <= held_out_score(model, [movie]) <= 1.0
    one_frame = movie.part(3, 4)
    assert 0.0 <= held_out_score(model, [one_frame]) <= 1.0


@pytest.mark.parametrize("name", ["toy", "nano", "sam2.1_tiny"])
@pytest.mark.parametrize("diameter", [0.01, 0.2, 0.45, 0.85, 1.1])
def test_objects_of_every_size_have_a_range_of_sizes(name, diameter):
    model = SimpleNamespace(config=CONFIGS[name])
    (stage,) = plan_training(model, name, diameter, SETTINGS, "cpu").stages
    low, high = stage.diameter
    assert 0 < low <= high < 0.7 * stage.size


@pytest.mark.parametrize(
    ("base", "title"),
    [
        ("sam2.1_tiny", "sam2.1_tiny"),
        ("nano", "nano"),
        ("cells-1.2", "cells-1.2"),
        ("own/cells.v2.safetensors", "cells.v2"),
        ("files/sam2.1_hiera_tiny.pt", "sam2.1_hiera_tiny"),
        ("files/old.pth", "old"),
    ],
)
def test_a_base_is_called_by_its_whole_name(base, title):
    assert base_title(base) == title


def test_of_blends_that_forget_little_the_best_is_kept(base):
    old, tuned = load_model(base), build_model("toy", seed=9)
    answers = iter([Scored(0.9, 0.2), Scored(0.8, 0.49), Scored(0.7, 0.5)])
    model, scores, part = best_blend(
        old, tuned, Scored(0.5, 0.5), lambda _: next(answers)
    )
    assert (scores.held_out, part) == (0.8, 0.75)
    name = "mask_decoder.iou_token.weight"
    first, last = old.state_dict()[name], tuned.state_dict()[name]
    torch.testing.assert_close(model.state_dict()[name], first.lerp(last, 0.75))
    assert torch.equal(blended(old, tuned, 0.0).state_dict()[name], first)


@pytest.mark.parametrize(
    ("held_out", "kept"),
    [((0.8, 0.78, 0.5), 0.75), ((0.8, 0.6, 0.78), 0.5), ((0.8, 0.7, 0.7), 1.0)],
)
def test_of_blends_that_gain_nearly_as_much_the_nearest_to_the_base_is_kept(
    base, held_out, kept
):
    answers = iter([Scored(value, 0.5) for value in held_out])
    _, scores, part = best_blend(
        load_model(base),
        build_model("toy", seed=9),
        Scored(0.5, 0.5),
        lambda _: next(answers),
    )
    assert (scores.held_out, part) == (held_out[BLENDS.index(kept)], kept)


def test_if_no_blend_is_better_the_nearest_to_the_base_is_kept(base):
    _, _, part = best_blend(
        load_model(base),
        build_model("toy", seed=9),
        Scored(0.5, 0.5),
        lambda _: Scored(0.4, 0.5),
    )
    assert part == BLENDS[-1]


def test_the_learning_rate_rises_and_falls():
    rates = [rate_share(done) for done in (0.0, 0.05, 0.5, 1.0)]
    assert rates[0] < rates[2] < rates[1] == 1.0
    assert rates[3] == pytest.approx(0.05)

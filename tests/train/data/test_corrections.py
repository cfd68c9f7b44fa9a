"""Clicks lie on errors, corrected frames become anchors, as when tracking."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam2.model.config import CONFIGS
from napari_sam2.model.memory_attention import ANCHOR_TIME
from napari_sam2.model.prompt_encoder import PointLabel
from napari_sam2.model.sam2 import Sam2
from napari_sam2.prompts import FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.tracking.predictor import StreamingPredictor
from napari_sam2.train.data.appearance import IMAGE_MEAN, IMAGE_STD
from napari_sam2.train.data.batches import Batch, make_batch
from napari_sam2.train.data.corrections import CorrectionPlan, error_clicks
from napari_sam2.train.data.examples import Corpus, prepare
from napari_sam2.train.data.prompts import PromptGroup
from napari_sam2.train.passes import passes
from napari_sam2.train.passes.clip_memory import ClipMemory
from napari_sam2.train.passes.passes import run_batch
from napari_sam2.train.recipe.config import PromptMix, Stage
from napari_sam2.train.recipe.loss_weights import PRESETS

SIDE = 64


def square(top: int, left: int, size: int = 16) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[top : top + size, left : left + size] = True
    return mask


def as_logits(mask: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.where(mask[2::4, 2::4], 8.0, -8.0)).float()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 44), st.integers(0, 44), st.integers(0, 44), st.integers(0, 1000))
def test_a_click_says_what_is_wrong_where_it_is_wrong(top, left, other, seed):
    truth, guess = square(top, left), square(other, left)
    random = np.random.default_rng(seed)
    clicks = error_clicks(as_logits(guess)[None], truth[None], random)
    x, y = clicks.points[0, 0].int().tolist()
    assert bool(truth[y, x]) == (int(clicks.labels[0, 0]) == PointLabel.POSITIVE)


def test_without_chance_the_click_is_in_the_middle_of_the_larger_error():
    truth = square(8, 8, 24)
    nothing = torch.full((1, 16, 16), -1024.0)
    clicks = error_clicks(nothing, truth[None], None)
    x, y = clicks.points[0, 0].tolist()
    assert abs(x - 19.5) <= 1
    assert abs(y - 19.5) <= 1
    assert clicks.labels.tolist() == [[PointLabel.POSITIVE]]
    too_much = error_clicks(as_logits(square(8, 8, 52))[None], truth[None], None)
    assert too_much.labels.tolist() == [[PointLabel.NEGATIVE]]


def test_where_nothing_is_wrong_the_click_is_beside():
    truth = np.zeros((SIDE, SIDE), bool)
    truth[:, :32] = True
    clicks = error_clicks(as_logits(truth)[None], truth[None], None)
    x, y = clicks.points[0, 0].int().tolist()
    assert not truth[y, x]
    assert clicks.labels.tolist() == [[PointLabel.NEGATIVE]]


def test_rows_remember_their_own_anchors():
    memory = ClipMemory(2)
    both, second = torch.tensor([0, 1]), torch.tensor([1])
    spatial = torch.arange(4.0).view(4, 1, 1, 1)
    pointer = torch.arange(4.0).view(4, 1)
    memory.add(0, both, (spatial[:2], pointer[:2]), anchor=True)
    memory.add(3, second, (spatial[2:3], pointer[2:3]), anchor=True)
    memory.add(1, both, (spatial[2:], pointer[2:]), anchor=False)
    selection = memory.select(2, both)
    assert selection.time_index[0].tolist() == [ANCHOR_TIME, ANCHOR_TIME, 0]
    assert selection.spatial_valid.tolist() == [[True, False, True], [True, True, True]]
    # A future anchor has no pointer; distances are in parts of fifteen.
    assert selection.pointers[1, :, 0].tolist() == [1.0, 3.0]
    assert (selection.pointer_distance[0] * 15).tolist() == pytest.approx([2.0, 1.0])


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    y, x = np.mgrid[:96, :96]
    labels = np.zeros((96, 96), np.int32)
    for index in range(9):
        cy, cx = 16 + 32 * (index // 3), 16 + 32 * (index % 3)
        labels[(y - cy) ** 2 + (x - cx) ** 2 <= 100] = index + 1
    picture = np.where(labels > 0, 200, 40).astype(np.uint8)
    source = SimpleNamespace(
        name="discs", frames=picture[None, ..., None], labels=labels[None]
    )
    return Corpus(((prepare(source),),), (1.0,))


CLIPS = Stage(
    "clip",
    3,
    frames=5,
    size=SIDE,
    crops=2,
    objects=3,
    anchors=2,
    corrections=2,
    correction_clicks=3,
    correcting=1.0,
    prompts=PromptMix(1, 1, 0, 1, 0, 1),
)


def test_stages_draw_anchors_and_corrections(corpus):
    batches = [
        make_batch(corpus, CLIPS, np.random.default_rng(seed), still=False)
        for seed in range(12)
    ]
    assert {len(batch.anchors) for batch in batches} == {1, 2}
    assert {len(batch.corrections.frames) for batch in batches} == {1, 2}
    assert {batch.corrections.clicks for batch in batches} == {1, 2, 3}
    for batch in batches:
        for frame, groups in batch.later.items():
            rows = torch.cat([group.rows for group in groups])
            assert batch.masks[frame, rows].flatten(1).any(dim=1).all()


def test_every_object_is_answered_on_every_frame_and_learns(corpus):
    torch.manual_seed(0)
    model = Sam2(CONFIGS["toy"])
    for seed in (0, 3):
        batch = make_batch(corpus, CLIPS, np.random.default_rng(seed), still=False)
        scores = run_batch(model, batch, PRESETS["paper"])
        assert scores.logits.shape == (5, 6, 16, 16)
        assert "iou_corrected" in scores.values or batch.corrections.frames == (0,)
        scores.loss.backward()
    assert model.prompt_encoder.mask_downscaling[0].weight.grad.any()


def test_single_images_are_clicked_again(corpus):
    stage = replace(CLIPS, frames=1, prompts=PromptMix(1, 1, 1, 0, 0.2))
    batch = make_batch(corpus, stage, np.random.default_rng(1), still=True)
    assert batch.corrections.frames == (0,)
    again = make_batch(corpus, stage, np.random.default_rng(1), still=True)
    torch.manual_seed(0)
    model = Sam2(CONFIGS["toy"])
    one, two = (run_batch(model, b, PRESETS["nano"]) for b in (batch, again))
    assert "iou_corrected" in one.values
    assert one.values == two.values


CORRECTED = 2
TOLERANCE = 0.004
"""Of the logits' spread: the predictor keeps its memories in half precision."""


@pytest.fixture(scope="module")
def present() -> Sam2:
    """A network that sees its objects everywhere.

    With its first weights the toy finds all of them absent, and all logits are equal.
    """
    torch.manual_seed(3)
    model = Sam2(CONFIGS["toy"]).eval()
    with torch.no_grad():
        model.mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(20.0)
    return model


def trained_and_tracked(model: Sam2, clicks: int) -> tuple[np.ndarray, np.ndarray]:
    """Return logits from the corrected frame on, as in training and by the predictor.

    Mask on frame 0, corrections on frame 2, then two more frames.
    """
    pixels = np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE, 3), np.uint8)
    first = square(20, 20)
    pixels[:, first] //= 4
    truth = np.stack([first] * 5)[:, None]
    batch = Batch(
        frames=_normalised(pixels),
        clip_of_row=torch.tensor([0]),
        masks=torch.from_numpy(truth),
        groups=(PromptGroup("mask", torch.tensor([0]), None),),
        labels=truth.astype(np.int32),
        corrections=CorrectionPlan((CORRECTED,), clicks, returned="first", seed=5),
    )
    with torch.no_grad():
        trained = run_batch(model, batch, PRESETS["nano"]).logits[CORRECTED:, 0]
    predictor = StreamingPredictor(
        model, frame_shape=(SIDE, SIDE), device="cpu", fill_holes=0
    )
    predictor.step(0, pixels[0], [FramePrompt(1, 0, mask=MaskPrompt(first))])
    predictor.step(1, pixels[1])
    step = predictor.step(2, pixels[2])
    points: tuple[PointPrompt, ...] = ()
    random = np.random.default_rng((5, 1, int(first.sum())))
    for _ in range(clicks):
        answer = torch.from_numpy(step.logits)
        click = error_clicks(answer, first[None], random)
        x, y = click.points[0, 0].tolist()
        label = int(click.labels[0, 0])
        points += (PointPrompt(y, x, label == PointLabel.POSITIVE),)
        step = predictor.step(2, pixels[2], [FramePrompt(1, 2, points=points)])
    steps = [step, *(predictor.step(frame, pixels[frame]) for frame in (3, 4))]
    return trained.numpy(), np.stack([step.logits[0] for step in steps])


def difference(trained: np.ndarray, tracked: np.ndarray) -> np.ndarray:
    """Return ``(frames,)``: largest difference in parts of the logits' spread."""
    spread = tracked.std(axis=(1, 2))
    assert (spread > 0.01).all()  # equal logits everywhere would prove nothing
    return np.abs(trained - tracked).max(axis=(1, 2)) / spread


@pytest.mark.parametrize("clicks", [1, 2])
def test_a_corrected_clip_is_tracked_as_the_predictor_tracks_it(present, clicks):
    assert (difference(*trained_and_tracked(present, clicks)) < TOLERANCE).all()


def _without_memory(clip, frame, rows, features, seen, answer):
    return CORRECT(clip, frame, rows, clip.model.condition(seen, None), seen, answer)


def _as_recent(clip, frame, rows, seen, decoded, *, anchor):
    KEEP(clip, frame, rows, seen, decoded, anchor=anchor and not frame)


def _as_soft(clip, frame, rows, seen, decoded, *, anchor):
    """Remember what the corrected mask was like, but as uncertain."""
    remember = clip.model.remember

    def uncertain(*arguments, binarize):
        return remember(*arguments, binarize=binarize and not frame)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clip.model, "remember", uncertain)
        KEEP(clip, frame, rows, seen, decoded, anchor=anchor)


KEEP, CORRECT = passes._Clip._keep, passes._Clip._correct


@pytest.mark.parametrize(
    ("target", "broken", "wrong_from"),
    [
        ("passes.passes._Clip._correct", lambda *given: given[-1][0], 0),
        ("passes.passes._Clip._correct", _without_memory, 0),
        ("data.corrections._mask_prompt", lambda decoded: None, 0),
        ("passes.passes._Clip._keep", _as_recent, 1),
        ("passes.passes._Clip._keep", _as_soft, 1),
    ],
    ids=["no-click", "no-memory", "no-mask", "no-anchor", "uncertain"],
)
def test_each_part_of_the_scheme_matters(
    present, monkeypatch, target, broken, wrong_from
):
    """Otherwise the comparison with the predictor could not fail."""
    monkeypatch.setattr(f"napari_sam2.train.{target}", broken)
    found = difference(*trained_and_tracked(present, 1))
    assert (found[wrong_from:] > 2 * TOLERANCE).all()


def _normalised(pixels: np.ndarray) -> torch.Tensor:
    frames = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    mean = torch.tensor(IMAGE_MEAN).view(1, 3, 1, 1)
    deviation = torch.tensor(IMAGE_STD).view(1, 3, 1, 1)
    return ((frames - mean) / deviation)[:, None]

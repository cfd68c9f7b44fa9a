"""Fit the trust model of a network on clips whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_sam2.metrics.calibration import (
    area_under_roc,
    expected_calibration_error,
    fit_isotonic,
    fit_logistic,
)
from napari_sam2.metrics.clicks import bounding_box, deepest_pixel
from napari_sam2.metrics.masks import region_similarity
from napari_sam2.model.sam2 import Sam2
from napari_sam2.prompts import BoxPrompt, FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.session.scores.trust_model import (
    GOOD_REGION,
    FrameScores,
    TrustModel,
    trust_features,
)
from napari_sam2.tracking.postprocess import label_image
from napari_sam2.tracking.predictor import StreamingPredictor
from napari_sam2.tracking.step_result import StepResult
from napari_sam2.train.data.appearance import vary
from napari_sam2.train.data.clips import disturb, draw_view
from napari_sam2.train.data.examples import Corpus
from napari_sam2.train.data.motion import CropStyle

KINDS = ("click", "box", "mask")
OBJECTS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Tracked object-frames and whether their masks were right.

    Attributes
    ----------
    features
        ``(samples, features)``, see `napari_sam2.session.scores.trust_model.FEATURES`.
    is_good
        ``(samples,)`` bool: J ≥ 0.75.
    """

    features: np.ndarray
    is_good: np.ndarray


@dataclass(frozen=True, slots=True)
class TrustReport:
    """How good a trust model is on samples that it was not fitted to.

    Attributes
    ----------
    calibration_error
        Expected calibration error, ten bins.
    auroc
        Chance that a right mask is trusted more than a wrong one.
    samples, good
        Number of object-frames; part of them that are right.
    """

    calibration_error: float
    auroc: float
    samples: int
    good: float


def judge(model: Sam2, corpus: Corpus, *, clips: int, frames: int, seed: int) -> Judged:
    """Track ``clips`` simulated clips and compare every mask with the truth.

    Objects are prompted on the first frame by a click, a box or a mask; that frame is
    left out where the mask was given.

    Parameters
    ----------
    clips, frames
        Their number and length.

    Raises
    ------
    InputError
        If the corpus gives no clip that shows an object in its first frame.
    """
    parts = [
        _judge_clip(model, corpus, frames, np.random.default_rng((seed, number)))
        for number in range(clips)
    ]
    return join(parts)


def join(parts: Sequence[Judged]) -> Judged:
    """Return all samples of several collections."""
    return Judged(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.is_good for part in parts]),
    )


def fit_trust(judged: Judged) -> TrustModel:
    """Fit a trust model to judged object-frames."""
    logistic = fit_logistic(judged.features, judged.is_good)
    x, y = fit_isotonic(logistic(judged.features), judged.is_good)
    return TrustModel(
        mean=tuple(logistic.mean.tolist()),
        scale=tuple(logistic.scale.tolist()),
        weights=tuple(logistic.weights.tolist()),
        bias=logistic.bias,
        knots=tuple(zip(x.tolist(), y.tolist(), strict=True)),
    )


def assess_trust(trust: TrustModel, judged: Judged) -> TrustReport:
    """Say how good a trust model is on judged object-frames."""
    probability = trust.probability(judged.features)
    return TrustReport(
        calibration_error=expected_calibration_error(probability, judged.is_good),
        auroc=area_under_roc(probability, judged.is_good),
        samples=len(probability),
        good=float(judged.is_good.mean()),
    )


def _judge_clip(
    model: Sam2, corpus: Corpus, frames: int, random: np.random.Generator
) -> Judged:
    pixels, labels, ids = _draw_clip(model.config.image_size, corpus, frames, random)
    kind = str(random.choice(KINDS))
    predictor = StreamingPredictor(
        model, frame_shape=labels.shape[1:], frame_count=frames, device="cpu"
    )
    prompts = [
        _prompt(int(object_id), labels[0] == object_id, kind) for object_id in ids
    ]
    rows: list[np.ndarray] = []
    regions: list[list[float]] = []
    for index, frame in enumerate(pixels):
        step = predictor.step(index, frame, prompts if index == 0 else ())
        guess = label_image(
            step.object_ids,
            step.logits,
            frame.shape[:2],
            windows=predictor.layout.windows(step.tiles),
        )
        rows.append(_scores(step, guess))
        regions.append([_region(guess == i, labels[index] == i) for i in ids])
    features = trust_features(FrameScores(*np.stack(rows, axis=1)))
    first = 1 if kind == "mask" else 0
    is_good = np.array(regions)[first:] >= GOOD_REGION
    return Judged(features[first:].reshape(is_good.size, -1), is_good.ravel())


def _draw_clip(
    size: int, corpus: Corpus, frames: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ``(T, Y, X, 3)`` uint8, ``(T, Y, X)`` labels, and ascending ids."""
    motion = float(random.uniform(0.15, 0.8))
    style = CropStyle(frames, size, (0.08 * size, 0.35 * size), motion)
    example, view, drawn = draw_view(corpus, style, OBJECTS, random)
    ids = np.unique(drawn)
    clip, labels = disturb(view.frames, view.labels, corpus, random, example=example)
    clip = vary(clip, random, invert=example.invert)
    pixels = (clip.permute(0, 2, 3, 1).numpy() * 255).round().astype(np.uint8)
    return pixels, labels, ids


def _prompt(object_id: int, mask: np.ndarray, kind: str) -> FramePrompt:
    if kind == "mask":
        return FramePrompt(object_id, 0, mask=MaskPrompt(mask))
    if kind == "box":
        box = BoxPrompt(*map(float, bounding_box(mask)))
        return FramePrompt(object_id, 0, box=box)
    y, x = deepest_pixel(mask)
    return FramePrompt(object_id, 0, points=(PointPrompt(float(y), float(x)),))


def _scores(step: StepResult, guess: np.ndarray) -> np.ndarray:
    """Return ``(6, objects)`` in the order of `FrameScores`."""
    ids = np.array(step.object_ids)
    area = np.bincount(guess.ravel(), minlength=ids.max() + 1)[ids]
    centres = np.full((len(ids), 2), np.nan)
    seen = area > 0
    if seen.any():
        centres[seen] = ndimage.center_of_mass(guess > 0, guess, ids[seen])
    return np.stack(
        [
            step.object_score,
            step.predicted_iou,
            step.stability,
            area.astype(float),
            centres[:, 0],
            centres[:, 1],
        ]
    )


def _region(guess: np.ndarray, truth: np.ndarray) -> float:
    return float(region_similarity(truth, guess))

"""How likely a mask is right: from the network's scores to a probability.

SAM 2 had people verify masklets before they were trained on. Here a small model, fitted
on movies with known truth (`napari_sam2.train.validation.trust`), says which frames a
person should look at first: the probability that J ≥ 0.75.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

GOOD_REGION = 0.75
"""J from which on a mask counts as right."""

SCORE_LIMIT = 10.0
"""Presence logits beyond say no more."""

FEATURES = (
    "certainty of presence",
    "absent",
    "predicted IoU",
    "stability",
    "change of area since",
    "change of area until",
    "motion since",
    "motion until",
)
"""All are free of the frame's scale: a movie of more pixels is trusted alike."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameScores:
    """Scores of objects over consecutive frames, each ``(T, objects)`` float.

    NaN where a frame was never computed.

    Attributes
    ----------
    object_score
        Presence logit.
    predicted_iou, stability
        In 0…1.
    area
        Pixels.
    y, x
        Centroid in pixels; NaN where the mask is empty.
    second_part, sister_iou
        What the raw masks say of a second object, as in
        `napari_sam2.interfaces.DivisionEvidence`; None where nobody looked.
    """

    object_score: np.ndarray
    predicted_iou: np.ndarray
    stability: np.ndarray
    area: np.ndarray
    y: np.ndarray
    x: np.ndarray
    second_part: np.ndarray | None = None
    sister_iou: np.ndarray | None = None

    def part(self, frames: slice) -> FrameScores:
        """Return the scores of some frames."""
        cut: dict[str, Any] = {
            one.name: None
            if (known := getattr(self, one.name)) is None
            else known[frames]
            for one in fields(self)
        }
        return FrameScores(**cut)


def trust_features(scores: FrameScores) -> np.ndarray:
    """Return ``(T, objects, features)`` in the order of `FEATURES`; NaN is unknown.

    Where the object is said to be absent only the certainty of that counts. Motion is
    in units of the object's diameter.
    """
    absent = ~(scores.object_score > 0) | ~(scores.area > 0)
    certainty = np.clip(np.abs(scores.object_score), 0, SCORE_LIMIT) / SCORE_LIMIT
    area = np.maximum(scores.area, 1.0)
    growth = _steps(np.log(area))
    diameter = 2 * np.sqrt(area[1:] / np.pi)
    moved = np.hypot(np.diff(scores.y, axis=0), np.diff(scores.x, axis=0)) / diameter
    moved = np.nan_to_num(np.minimum(moved, 3.0))
    still = np.zeros_like(area[:1])
    parts = [
        certainty,
        absent.astype(float),
        scores.predicted_iou,
        scores.stability,
        np.concatenate([still, growth]),
        np.concatenate([growth, still]),
        np.concatenate([still, moved]),
        np.concatenate([moved, still]),
    ]
    for part in parts[2:]:
        part[absent] = 0.0
    features = np.stack(parts, axis=-1)
    features[np.isnan(scores.object_score)] = np.nan
    return features


def _steps(values: np.ndarray) -> np.ndarray:
    """Return ``(T − 1, objects)`` sizes of the steps between frames, at most 3."""
    steps: np.ndarray = np.nan_to_num(np.minimum(np.abs(np.diff(values, axis=0)), 3.0))
    return steps


@dataclass(frozen=True, slots=True)
class TrustModel:
    """A logistic regression of `FEATURES`, then a monotonic curve.

    Attributes
    ----------
    mean, scale, weights
        By feature.
    bias
        Log odds at the features' means.
    knots
        ``(raw, calibrated)`` probabilities, both ascending; linear in between.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    knots: tuple[tuple[float, float], ...]

    def __call__(self, scores: FrameScores) -> np.ndarray:
        """Return ``(T, objects)`` chances that masks are right; NaN is unknown."""
        return self.probability(trust_features(scores))

    def probability(self, features: np.ndarray) -> np.ndarray:
        """Return ``(…,)`` of ``(…, features)``."""
        scaled = (features - np.array(self.mean)) / np.array(self.scale)
        odds = scaled @ np.array(self.weights) + self.bias
        raw = 1.0 / (1.0 + np.exp(-np.clip(odds, -50, 50)))
        x, y = np.array(self.knots).T
        known = np.interp(raw, x, y)
        probability: np.ndarray = np.where(np.isnan(raw), np.nan, known)
        return probability

    def to_json(self) -> str:
        """Return the text that is stored with a model."""
        return json.dumps(
            {
                "features": FEATURES,
                "mean": self.mean,
                "scale": self.scale,
                "weights": self.weights,
                "bias": self.bias,
                "knots": self.knots,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Self | None:
        """Return the stored model; None if it was made for other features."""
        stored = json.loads(text)
        if tuple(stored.get("features", ())) != FEATURES:
            return None
        return cls(
            mean=tuple(stored["mean"]),
            scale=tuple(stored["scale"]),
            weights=tuple(stored["weights"]),
            bias=float(stored["bias"]),
            knots=tuple((float(x), float(y)) for x, y in stored["knots"]),
        )

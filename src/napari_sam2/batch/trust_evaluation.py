"""How well trust finds bad frames: masklets with their scores against a truth."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from napari_sam2.batch.evaluation import EvaluationJob, run_evaluation
from napari_sam2.batch.score_tables import trust_of
from napari_sam2.errors import InputError, ModelError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.metrics.calibration import (
    area_under_roc,
    expected_calibration_error,
    precision_recall,
)
from napari_sam2.metrics.scores import MovieScore
from napari_sam2.session.scores.trust_model import GOOD_REGION, FrameScores, TrustModel
from napari_sam2.session.scores.trust_rule import in_blocks

RECALLS = (0.5, 0.8, 0.9)


@dataclass(frozen=True, slots=True)
class TrustScore:
    """How well distrust finds the object-frames with J below 0.75.

    Attributes
    ----------
    object_frames, bad
        How many were scored, and how many of them are bad.
    average_precision
        Area under precision over recall; a coin has the share of bad frames.
    precision_at
        Recall → precision when frames are looked at from the least trusted on.
    calibration_error, auroc
        See `napari_sam2.metrics.calibration`.
    """

    object_frames: int
    bad: int
    average_precision: float
    precision_at: dict[float, float]
    calibration_error: float
    auroc: float

    def as_json(self) -> dict[str, object]:
        """Return the scores as a JSON-able mapping."""
        return asdict(self)


def evaluate_trust(job: EvaluationJob) -> TrustScore:
    """Score the trust in our masklets against a truth.

    Raises
    ------
    InputError
        If the labels are not masklets with scores, or all frames are good or all bad.
    ModelError
        If their model is gone, or has no trust model.
    """
    if not OmeZarrLabelStore.exists(job.labels, job.name):
        raise InputError(
            f"{job.labels} holds no masklets called {job.name!r}: --trust needs the "
            "scores that track stores beside them"
        )
    store = OmeZarrLabelStore.open(job.labels, job.name, "r")
    trust = in_blocks(trust_model_of(store.provenance.model), frame_scores(store))
    said, region = _paired(run_evaluation(job), list(store.object_ids), trust)
    bad = region < GOOD_REGION
    if bad.all() or not bad.any():
        raise InputError(
            f"{job.labels}: {'all' if bad.any() else 'none'} of the {len(bad)} masks "
            f"have J below {GOOD_REGION}: there is nothing to tell apart"
        )
    curve = precision_recall(1 - said, bad)
    return TrustScore(
        object_frames=len(bad),
        bad=int(bad.sum()),
        average_precision=curve.average_precision,
        precision_at={recall: curve.precision_at(recall) for recall in RECALLS},
        calibration_error=expected_calibration_error(said, ~bad),
        auroc=area_under_roc(said, ~bad),
    )


def trust_model_of(name_or_path: str) -> TrustModel:
    """Return the trust model that is stored with a network.

    Raises
    ------
    ModelError
        If there is no such network, or nobody fitted one for it.
    """
    from napari_sam2.model.checkpoints.weights_file import weights_path

    trust = trust_of(weights_path(name_or_path))
    if trust is None:
        raise ModelError(
            f"{Path(name_or_path).name} has no trust model: use nano, a model "
            "fine-tuned from it, or fit one with tools/fit_trust.py"
        )
    return trust


def frame_scores(store: OmeZarrLabelStore) -> FrameScores:
    """Return the scores of a store, with centroids measured frame by frame."""
    ids, evidence = np.array(store.object_ids), store.read_division_evidence()
    area = store.read_score_table("area").astype(float)
    centres = np.full((store.frame_count, len(ids), 2), np.nan)
    for frame_index in range(store.frame_count):
        labels = store.read_labels(frame_index)
        seen = area[frame_index] > 0
        if seen.any():
            found = ndimage.center_of_mass(labels > 0, labels, ids[seen])
            centres[frame_index, seen] = found
    return FrameScores(
        object_score=store.read_score_table("object_score"),
        predicted_iou=store.read_score_table("predicted_iou"),
        stability=store.read_score_table("stability"),
        area=area,
        y=centres[..., 0],
        x=centres[..., 1],
        second_part=evidence.second_part,
        sister_iou=evidence.sister_iou,
    )


def _paired(
    score: MovieScore, ids: list[int], trust: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return trust and J of all object-frames that have both."""
    said, region = [], []
    for tracked in score.objects:
        if tracked.predicted_id in ids:
            frames = np.array(tracked.frame_indices)
            said.append(trust[frames, ids.index(tracked.predicted_id)])
            region.append(np.array(tracked.region_by_frame))
    if not said:
        raise InputError("no object of the truth was tracked under the same id")
    both, regions = np.concatenate(said), np.concatenate(region)
    known = ~np.isnan(both)
    return both[known], regions[known]

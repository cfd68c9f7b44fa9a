"""Bad frames are found by scores that tell them; wrong use is refused."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_sam2.batch.evaluation import EvaluationJob
from napari_sam2.batch.trust_evaluation import evaluate_trust
from napari_sam2.errors import InputError, ModelError
from napari_sam2.interfaces import FrameResult, ObjectScores
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.sessions.provenance import Provenance
from napari_sam2.model.checkpoints.notes import TRUST_NOTE
from napari_sam2.prompts import PromptedObject
from napari_sam2.session.scores.trust_model import FEATURES, TrustModel

FRAMES = 12
BAD = (3, 4, 9)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Return a function that saves a toy network with a note, or without."""
    from napari_sam2.model.checkpoints.checkpoint import build_model, save_model

    folder = tmp_path_factory.mktemp("models")

    def saved(trust=None):
        path = folder / f"{'with' if trust else 'without'}.safetensors"
        notes = {TRUST_NOTE: trust.to_json()} if trust else {}
        save_model(build_model("toy", seed=1), path, notes=notes)
        return str(path)

    return saved


def trust_in_predicted_iou():
    weights = [0.0] * len(FEATURES)
    weights[FEATURES.index("predicted IoU")] = 8.0
    count = len(FEATURES)
    knots = ((0.0, 0.0), (1.0, 1.0))
    return TrustModel((0.0,) * count, (1.0,) * count, tuple(weights), -4.0, knots)


def masklets(folder, model, *, spoil):
    """Write masklets of one object that are wrong, and say so, on some frames."""
    truth = np.zeros((FRAMES, 24, 24), np.uint16)
    truth[:, 4:14, 4:14] = 7
    tifffile.imwrite(folder / "truth.tif", truth, photometric="minisblack")
    store = OmeZarrLabelStore.create(
        folder / "masklets.zarr",
        frame_count=FRAMES,
        frame_shape=(24, 24),
        logits_shape=(6, 6),
        objects=[PromptedObject(7)],
        provenance=Provenance(
            model=model,
            weights_sha256="0",
            device="cpu",
            precision="fp32",
            threads=1,
            plugin_version="0",
        ),
    )
    for frame_index in range(FRAMES):
        is_bad = frame_index in spoil
        labels = np.where(truth[frame_index] > 0, 7, 0).astype(np.uint16)
        if is_bad:
            labels[:, 9:] = 0
        scores = ObjectScores(
            object_score=np.array([5.0], np.float32),
            predicted_iou=np.array([0.2 if is_bad else 0.9], np.float32),
            stability=np.array([0.9], np.float32),
            area=np.array([(labels == 7).sum()]),
        )
        logits = np.zeros((1, 6, 6), np.float32)
        store.write(FrameResult(frame_index, labels, (7,), logits, scores))
    store.finish()
    return EvaluationJob(labels=folder / "masklets.zarr", truth=folder / "truth.tif")


def test_frames_that_say_they_are_bad_are_found_first(tmp_path, network):
    model = network(trust_in_predicted_iou())
    score = evaluate_trust(masklets(tmp_path, model, spoil=BAD))
    assert (score.object_frames, score.bad) == (FRAMES, len(BAD))
    assert score.auroc == 1
    assert score.average_precision == 1
    assert set(score.precision_at.values()) == {1.0}


def test_nothing_to_find_is_refused(tmp_path, network):
    model = network(trust_in_predicted_iou())
    with pytest.raises(InputError, match="nothing to tell apart"):
        evaluate_trust(masklets(tmp_path, model, spoil=()))


def test_a_network_without_a_trust_model_is_named_and_what_has_one(tmp_path, network):
    job = masklets(tmp_path, network(), spoil=BAD)
    with pytest.raises(ModelError, match=r"^without.*no trust model") as refused:
        evaluate_trust(job)
    for way in ("nano", "fine-tuned", "tools/fit_trust.py"):
        assert way in str(refused.value)


def test_labels_without_scores_are_refused(tmp_path, network):
    job = masklets(tmp_path, network(), spoil=BAD)
    with pytest.raises(InputError, match="scores"):
        evaluate_trust(job.model_copy(update={"labels": job.truth}))

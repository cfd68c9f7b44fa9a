"""Objects that are away are waited for, and not found elsewhere by a doubtful mask."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_sam2.interfaces import ABSENT_LOGIT
from napari_sam2.model.sam2 import Decoded
from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.tracking.batching import Batch, BatchKind
from napari_sam2.tracking.division_evidence import unknown_evidence
from napari_sam2.tracking.hard_cases.coming_back import SURE, ComingBack
from napari_sam2.tracking.step_result import Heard, Prediction

CASE = {"hard_cases": ["coming-back"]}
JUMP = (12, -16)
"""Pixels; one token down and one to the left of the toy's input."""
SQUARES = {"here": np.s_[2:6, 2:6], "half on": np.s_[4:8, 2:6], "off": np.s_[5:9, 2:6]}


def logits(place):
    mask = np.full((1, 16, 16), -5, np.float32)
    mask[0][SQUARES[place]] = 5
    return mask


class Bank:
    """Saw the object in the first place."""

    def nearest_logits(self, object_ids, frame_index):
        return logits("here")


def seen(place, score, kind=BatchKind.TRACKED):
    mask, number = logits(place), np.array([score], np.float32)
    parts = mask, number, number, number[:, None]
    decoded = Decoded(*map(torch.from_numpy, parts))
    told = *parts, unknown_evidence(1), (0, 0, 16, 16)
    return Prediction(Batch(kind, 3, False, (1,)), decoded, lambda: Heard(*told))


@pytest.mark.parametrize(
    ("place", "score", "stays"),
    [
        ("off", SURE - 0.1, False),
        ("off", SURE, True),
        ("half on", 0.1, True),
        ("here", 0.1, True),
        ("off", -3.0, True),
    ],
)
def test_what_lies_elsewhere_must_be_sure(place, score, stays):
    before, case = seen(place, score), ComingBack(Bank())
    after = case.answer(before)
    assert (after is before) == stays
    assert case.waits(after).tolist() == [score <= 0 or not stays]
    if not stays:
        for part in (after.heard, after.decoded):
            assert (np.asarray(part.logits) == ABSENT_LOGIT).all()
            assert float(part.object_score[0]) == pytest.approx(score - SURE)


def test_who_fades_is_not_away():
    case = ComingBack(Bank())
    case.waits(seen("here", 1.5))
    faded, gone = seen("off", 1.0), seen("off", 0.7)
    assert case.answer(faded) is faded
    assert case.answer(gone) is not gone
    case.forget([1])
    assert case.answer(faded) is not faded, "a gap begins: nothing is known of it"
    case.waits(seen("here", 1.5))
    assert case.answer(faded) is faded
    case.waits(seen("here", 9.0))
    assert case.answer(faded) is not faded


@pytest.mark.parametrize("place", ["here", "off"])
def test_after_an_absence_a_mask_must_be_sure_wherever_it_lies(place):
    case = ComingBack(Bank())
    case.waits(seen("here", 1.5))
    case.waits(seen("here", -0.5))
    doubtful, sure = seen(place, SURE - 0.1), seen(place, SURE)
    assert case.answer(doubtful) is not doubtful
    assert case.answer(sure) is sure
    case.waits(sure)
    assert case.answer(seen("here", 0.1)).heard.object_score[0] > 0


def test_what_a_person_prompted_is_neither_doubted_nor_waited_for():
    before, case = seen("off", 0.1, BatchKind.CLICKED), ComingBack(Bank())
    assert case.answer(before) is before
    assert not case.waits(seen("off", -1.0, BatchKind.CLICKED)).any()


@pytest.fixture
def hide(monkeypatch):
    """Say of a predictor's objects that they are away on some frames."""

    def hide(predictor, frames, object_ids=(1,)):
        predict = predictor.network.predict

        def hidden(embedding, batch, *memory):
            answer = predict(embedding, batch, *memory)
            is_away = np.isin(batch.object_ids, object_ids)
            is_away &= batch.frame_index in frames
            return answer.lowered(is_away, 1000.0)

        monkeypatch.setattr(predictor.network, "predict", hidden)
        return predictor

    return hide


def walk(predictor, movie, order, prompts=(), *, reverse=False):
    results = []
    for count, index in enumerate(order):
        given = prompts if count == 0 else ()
        results.append(predictor.step(index, movie[index], given, reverse=reverse))
    return results


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4, 5), (7, 6, 5, 4, 3, 2)])
def test_time_stands_still_for_who_is_away(movie, make_predictor, hide, order):
    prompts = [FramePrompt(one, order[0], (PointPrompt(12, 12),)) for one in (1, 2)]
    predictor = hide(make_predictor(**CASE), order[2:5])
    way, bank = {"reverse": order[-1] < order[0]}, predictor.bank
    walk(predictor, movie, order[:2], prompts, **way)
    before = bank.select([1], order[2], **way)
    results = walk(predictor, movie, order[2:5], **way)
    assert all(
        result.object_score[0] < 0 < result.object_score[1] for result in results
    )
    after = bank.select([1], order[5], **way)
    assert torch.equal(before.spatial, after.spatial)
    assert torch.equal(before.time_index, after.time_index)
    assert bank.nearest_logits([1], order[5]).max() > 0, "where it was seen last"
    assert bank.select([2], order[5], **way).spatial.shape[1] == 5


def test_what_is_remembered_moves_while_it_waits(movie, make_predictor, hide, prompts):
    predictor = hide(make_predictor(**CASE), [2])
    walk(predictor, movie, range(2), prompts[:1])
    predictor.bank.stage.add(2, JUMP)
    walk(predictor, movie, [2])
    known = predictor.bank.select([1], 3, reverse=False).known
    assert known.float().mean() == 9 / 16, "anchor and frame 1, three quarters a side"


def test_a_stream_goes_on_bit_by_bit_from_a_snapshot(
    movie, make_predictor, hide, prompts
):
    whole, other = (hide(make_predictor(**CASE), [2, 3]) for _ in range(2))
    walk(whole, movie, range(4), prompts)
    snapshot = whole.snapshot()
    assert "spatial_seen" in snapshot
    other.restore(snapshot)
    for index in (4, 5):
        one, two = (each.step(index, movie[index]) for each in (whole, other))
        np.testing.assert_array_equal(one.logits, two.logits)

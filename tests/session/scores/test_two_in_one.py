"""Masks that show two objects are never sure, whatever else speaks for them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_sam2.interfaces import FrameResult, ObjectScores
from napari_sam2.model.mask_decoder import RawMasks
from napari_sam2.session.scores.tables import DOUBTFUL, ScoreRow, ScoreTables
from napari_sam2.session.scores.trust_rule import TWO
from napari_sam2.synthetic import MovieConfig, SimulatedMovie
from napari_sam2.tracking.device.sister_masks import sisters
from napari_sam2.tracking.division_evidence import division_evidence


@pytest.fixture(scope="module")
def division():
    """Return a simulated movie, a mother, her daughters and their first frame."""
    movie = SimulatedMovie(
        MovieConfig(
            frame_count=40,
            frame_shape=(96, 96),
            cell_count=3,
            cell_size=16,
            division_rate=0.02,
            open_border=False,
            seed=1,
        )
    )
    for mother in movie.lineage:
        daughters = [one for one in movie.lineage if one.parent == mother.object_id]
        if daughters and mother.last_frame - mother.first_frame > 3:
            return movie, mother, [one.object_id for one in daughters]
    raise AssertionError("nobody divides")


def tracked(movie, mother, daughters, *, follows):
    """Return trust in masks that follow the mother, and then what is said of her.

    The network is sure of each of them.
    """
    stop = mother.last_frame + 4
    tables = ScoreTables.empty([1], stop)
    for at in range(mother.last_frame - 3, stop):
        labels = movie.labels(at)
        family = [
            mother.object_id,
            *(daughters if follows == "both" else daughters[:1]),
        ]
        mask = np.isin(labels, family)
        logits = np.where(mask, 8.0, -8.0).astype(np.float32)[None]
        sister = np.where(labels == daughters[1], 8.0, -8.0).astype(np.float32)
        raw = RawMasks(
            logits=torch.from_numpy(
                np.stack([logits[0], logits[0], sister, sister])[None]
            ),
            predicted_iou=torch.full((1, 4), 0.95),
            tokens=torch.zeros(1, 4, 2),
            object_score=torch.tensor([9.0]),
        )
        beside = sisters(torch.from_numpy(mask[None]), raw)
        iou, pixels = beside.iou.numpy(), beside.pixels.numpy()
        evidence = division_evidence(logits, iou, pixels, (0, 0, *labels.shape))
        sure = np.full(1, 0.98, np.float32)
        scores = ObjectScores(9 * sure, sure, sure, np.array([mask.sum()]), evidence)
        result = FrameResult(at, mask.astype(np.uint16), (1,), logits, scores)
        tables.write(ScoreRow.of(result))
        tables.trust()  # as the window asks after each frame
    return tables.with_trust(lambda scores: np.ones_like(scores.area)), tables


@pytest.mark.parametrize(("follows", "doubted"), [("both", 3), ("one", 1)])
def test_after_a_division_the_mask_is_not_sure_any_more(division, follows, doubted):
    birth = division[1].last_frame + 1
    always_sure, by_rule = tracked(*division, follows=follows)
    assert (always_sure.trust()[birth - 3 : birth, 0] == 1).all()
    for tables in (always_sure, by_rule):
        assert (tables.trust()[birth : birth + doubted, 0] <= TWO).all()


def test_such_a_mask_is_to_be_reviewed():
    assert TWO < DOUBTFUL


def test_what_a_person_says_takes_the_doubt_away():
    tables = ScoreTables.empty([1], 3)
    tables.area[:], tables.second_part[:] = 100, 1
    assert (tables.trust() <= TWO).all()
    mask = np.zeros((20, 20), np.uint16)
    mask[5:15, 5:15] = 1
    sure = np.full(1, 0.98, np.float32)
    said = ObjectScores(9 * sure, sure, sure, np.array([100]))
    logits = np.zeros((1, 5, 5), np.float32)
    tables.write(ScoreRow.of(FrameResult(1, mask, (1,), logits, said)))
    trust = tables.trust()[:, 0]
    assert trust[1] > 0.9
    assert trust[[0, 2]].max() <= TWO


def test_a_sister_beside_is_no_doubt_while_the_area_stays():
    tables = ScoreTables.empty([1], 4)
    tables.area[:], tables.sister_iou[:] = 100, 0.9
    assert (tables.trust() == 1).all()
    tables.area[2:] = 60
    doubted = tables.with_trust(tables.trust_function).trust()[:, 0]
    assert doubted[2] <= TWO
    assert doubted[3] > DOUBTFUL

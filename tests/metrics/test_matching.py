"""Pairing the objects of two label images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_sam2.metrics import count_overlaps, match_objects, region_similarity

label_images = arrays(np.uint16, (6, 7), elements=st.sampled_from([0, 1, 2, 900]))


@given(label_images, label_images)
def test_overlaps_give_the_region_of_every_pair(truth, prediction):
    overlaps = count_overlaps(truth, prediction)
    for object_id in (1, 2, 900):
        for predicted_id in (1, 2, 900):
            expected = region_similarity(truth == object_id, prediction == predicted_id)
            assert overlaps.region(object_id, predicted_id) == pytest.approx(expected)


@given(label_images, label_images)
def test_matches_are_one_to_one_and_above_the_minimum(truth, prediction):
    matches = match_objects(truth, prediction, 0.3)
    for ids in zip(*((m.object_id, m.predicted_id) for m in matches), strict=True):
        assert len(set(ids)) == len(ids)
        assert 0 not in ids
    for match in matches:
        overlap = region_similarity(
            truth == match.object_id, prediction == match.predicted_id
        )
        assert match.overlap == pytest.approx(overlap)
        assert overlap >= 0.3


def test_largest_ids_are_told_apart():
    top = np.iinfo(np.uint64).max
    truth = np.array([[top, top, 0, top - 1]], np.uint64)
    prediction = np.array([[5, 5, 5, 6]], np.uint64)
    matches = match_objects(truth, prediction)
    assert [(m.object_id, m.predicted_id) for m in matches] == [(top - 1, 6), (top, 5)]
    assert [m.overlap for m in matches] == pytest.approx([1, 2 / 3])


def test_all_objects_together_decide_who_gets_whom():
    # 1 overlaps most with 7, but 2 has only 7, and 1 may take 8.
    truth = np.array([[1, 1, 1, 1, 1, 1, 2, 2]])
    prediction = np.array([[8, 8, 8, 7, 7, 7, 7, 7]])
    matches = match_objects(truth, prediction, 0.1)
    assert [(m.object_id, m.predicted_id) for m in matches] == [(1, 8), (2, 7)]


def test_objects_without_a_counterpart_are_left_out():
    truth = np.array([[1, 1, 0, 0]])
    assert match_objects(truth, np.zeros_like(truth)) == []
    assert match_objects(truth, np.array([[0, 0, 3, 3]]), minimum_overlap=0.0) == []

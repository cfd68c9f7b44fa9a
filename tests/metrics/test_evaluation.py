"""Scores of whole movies."""

import json
import tracemalloc
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from napari_sam2.errors import InputError
from napari_sam2.metrics import (
    boundary_similarity,
    evaluate,
    last_frames_before_division,
    match_objects,
    region_similarity,
)

T98G = Path(__file__).parents[3] / "shared" / "data" / "dev" / "t98g-phase"

Track = namedtuple("Track", "object_id parent last_frame")


def movie(*rows: list[list[int]]) -> list[np.ndarray]:
    """Frames of one row of pixels each, made two rows high."""
    return [np.array([row, row], np.uint16) for row in rows]


def test_scores_are_those_of_the_masks_frame_by_frame():
    random = np.random.default_rng(4)
    truth = [random.integers(0, 4, (30, 40)) for _ in range(3)]
    prediction = [random.integers(0, 4, (30, 40)) for _ in range(3)]
    score = evaluate(iter(truth), iter(prediction))
    assert [s.object_id for s in score.objects] == [1, 2, 3]
    for one in score.objects:
        pairs = [
            (t == one.object_id, p == one.object_id)
            for t, p in zip(truth, prediction, strict=True)
        ]
        regions = [region_similarity(t, p) for t, p in pairs]
        boundaries = [boundary_similarity(t, p) for t, p in pairs]
        assert one.region_by_frame == pytest.approx(regions)
        assert one.boundary_by_frame == pytest.approx(boundaries)
        assert one.region == pytest.approx(np.mean(regions))
        assert one.region_and_boundary == pytest.approx(
            (np.mean(regions) + np.mean(boundaries)) / 2
        )
    assert score.region == pytest.approx(np.mean([s.region for s in score.objects]))


def test_agreeing_that_an_object_is_gone_counts_as_right():
    truth = movie([1, 1, 0], [0, 0, 0], [0, 0, 0])
    prediction = movie([1, 1, 0], [0, 0, 0], [0, 1, 0])
    (score,) = evaluate(truth, prediction).objects
    assert score.region_by_frame == (1, 1, 0)
    assert score.present == (True, False, False)
    assert score.region_when_present == 1
    assert score.tracked_fraction == pytest.approx(2 / 3)


def test_objects_can_be_paired_by_their_overlap_on_one_frame():
    truth = movie([1, 1, 2, 2, 0], [1, 1, 2, 2, 0], [1, 1, 2, 2, 0])
    prediction = movie([7, 7, 0, 9, 9], [7, 7, 0, 9, 9], [7, 0, 0, 9, 9])
    matches = match_objects(truth[0], prediction[0], 0.6)
    pairs = {m.object_id: m.predicted_id for m in matches}
    assert pairs == {1: 7}
    score = evaluate(truth, prediction, objects=pairs, frames=range(1, 3))
    (only,) = score.objects
    assert (only.object_id, only.predicted_id) == (1, 7)
    assert only.frame_indices == (1, 2)
    assert only.region_by_frame == (1, 0.5)
    assert score.frame_count == 2


def test_an_object_that_nobody_predicted_scores_nothing():
    truth = movie([1, 1, 0], [1, 0, 0], [0, 0, 0])
    score = evaluate(truth, truth, objects={1: None})
    assert score.objects[0].region_by_frame == (0, 0, 1)
    assert score.objects[0].boundary_by_frame == (0, 0, 1)


def test_objects_that_come_later_are_scored_from_then_on_unless_named():
    truth = movie([1, 1, 0], [1, 0, 5], [1, 0, 5])
    prediction = movie([1, 1, 5], [1, 0, 5], [1, 0, 5])
    everyone = evaluate(truth, prediction)
    assert everyone.objects[1].frame_indices == (1, 2)
    assert everyone.objects[1].region == 1
    named = evaluate(truth, prediction, objects=[5])
    assert named.objects[0].region_by_frame == (0, 1, 1)


def test_mothers_are_scored_until_they_divide():
    tracks = [Track(1, None, 1), Track(2, 1, 2), Track(3, 1, 2), Track(4, None, 2)]
    last_frames = last_frames_before_division(tracks)
    assert last_frames == {1: 1}
    truth = movie([1, 1, 4], [1, 1, 4], [2, 3, 4])
    prediction = movie([1, 1, 4], [1, 1, 4], [1, 1, 4])
    score = evaluate(truth, prediction, objects=[1, 4], last_frames=last_frames)
    assert [len(s.frame_indices) for s in score.objects] == [2, 3]
    assert score.region == 1
    assert evaluate(truth, prediction, objects=[1, 4]).region < 1


def test_result_is_plain_json():
    truth = movie([1, 1, 0], [1, 0, 2])
    score = evaluate(truth, truth, boundary=False)
    report = json.loads(json.dumps(score.to_json(by_frame=True)))
    assert report["J"] == 1
    assert report["F"] is None
    assert report["J&F"] is None
    assert report["objects"][0]["J_by_frame"] == [1, 1]
    assert "J_by_frame" not in score.to_json()["objects"][0]


@pytest.mark.parametrize(
    ("prediction", "options", "message"),
    [
        (movie([1, 1]), {}, "prediction ends after 1 frames"),
        (movie([1, 1], [1, 1], [1, 1]), {}, "truth ends after 2 frames"),
        (movie([1, 1, 1], [1, 1, 1]), {}, r"frame 0: the truth is \(2, 2\)"),
        ([np.ones((2, 2))] * 2, {}, "frame 0: the prediction is float64"),
        (movie([1, 1], [1, 1]), {"objects": [1, 8]}, "object 8 is in no scored frame"),
        (movie([1, 1], [1, 1]), {"frames": []}, "nothing to score"),
        (movie([1, 1], [1, 1]), {"objects": []}, "nothing to score"),
    ],
)
def test_what_cannot_be_scored_is_refused_by_name(prediction, options, message):
    with pytest.raises(InputError, match=message):
        evaluate(movie([1, 1], [1, 0]), prediction, **options)


def test_a_mapping_of_ids_to_something_else_is_refused():
    truth = movie([1, 1, 0])
    with pytest.raises(TypeError, match=r"object 1 is mapped to \(4, 5\)"):
        evaluate(truth, truth, objects={1: (4, 5)})


def test_memory_does_not_grow_with_the_number_of_frames():
    def frames(count: int, shift: int):
        for index in range(count):
            labels = np.zeros((64, 64), np.uint16)
            labels[10:30, 5 + (index + shift) % 30 : 35] = 1
            yield labels

    def peak(count: int) -> int:
        tracemalloc.start()
        evaluate(frames(count, 0), frames(count, 1))
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(5)
    # 450 more frames are 7 MB of labels; of them only a few numbers each may stay.
    assert peak(500) - peak(50) < 200_000


@pytest.mark.skipif(not T98G.exists(), reason="needs the shared data beside the clone")
def test_holding_the_first_mask_on_real_cells_gives_the_known_score():
    tifffile = pytest.importorskip("tifffile")
    silver = tifffile.imread(T98G / "tracks-silver.tif")
    manual = tifffile.imread(T98G / "frame0-manual.tif")
    inside = json.loads((T98G / "meta.json").read_text())["tracks_fully_inside"]
    pairs = {
        match.object_id: match.predicted_id
        for match in match_objects(silver[0], manual, 0.6)
        if match.object_id in inside
    }
    assert len(pairs) == 9
    held = [manual] * len(silver)
    score = evaluate(silver, held, objects=pairs, frames=range(1, 20), boundary=False)
    assert score.region == pytest.approx(0.35, abs=0.01)

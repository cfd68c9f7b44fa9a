"""Where objects are, and how bright: in tables for plots, and as napari's tracks."""

from dataclasses import replace

import numpy as np
import zarr

from napari_sam2.interfaces import DivisionEvidence
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.label_store.tables.measurements import EVIDENCE
from napari_sam2.io.label_store.tracks import track_rows, track_table, tracks_of
from napari_sam2.metrics.regions import measure

NAMES = ("centroid_y", "centroid_x", "mean_intensity")


def test_a_frame_is_measured():
    labels = np.zeros((5, 6), np.uint16)
    labels[1:3, 2:5] = 7
    labels[4, 0] = 2
    image = np.arange(30.0).reshape(5, 6)
    measured = measure(labels, [7, 2, 9], image)
    assert measured.area.tolist() == [6, 1, 0]
    assert measured.centroid_y.tolist()[:2] == [1.5, 4.0]
    assert measured.centroid_x.tolist()[:2] == [3.0, 0.0]
    assert measured.mean_intensity[0] == image[1:3, 2:5].mean()
    assert np.isnan([getattr(measured, name)[2] for name in NAMES]).all()
    colour = np.stack([image, image + 3], axis=2)
    assert measure(labels, [2], colour).mean_intensity[0] == image[4, 0] + 1.5
    assert np.isnan(measure(labels, [2]).mean_intensity[0])


def test_measurements_are_kept_beside_the_scores(new_store, fake_run):
    store = new_store()
    image = np.arange(48 * 64, dtype=np.float32).reshape(48, 64)
    store.write(fake_run.result(2), image=image)
    store.write(fake_run.result(3), image=image + 1)
    store.commit(fake_run.progress(4), None)
    store = OmeZarrLabelStore.open(store.path, mode="r")
    for frame, offset in ((2, 0), (3, 1)):
        expected = measure(store.read_labels(frame), [3, 7], image + offset)
        for name in NAMES:
            row = store.read_measurements(name)[frame]
            np.testing.assert_array_equal(row, getattr(expected, name))
    assert np.isnan(store.read_measurements("centroid_y")[4]).all()


def test_who_loses_pixels_is_measured_again(new_store, fake_run):
    store = new_store()
    store.write(fake_run.result(0), image=np.ones((48, 64)))
    labels = fake_run.result(0).labels.copy()
    labels[: labels.shape[0] // 4][labels[: labels.shape[0] // 4] == 3] = 7
    store.write(replace(fake_run.result(0, [7]), labels=labels))
    measured = measure(labels, [3])
    assert store.read_measurements("centroid_y")[0, 0] == measured.centroid_y[0]
    assert store.read_measurements("mean_intensity")[0].tolist()[0] == 1.0
    assert np.isnan(store.read_measurements("mean_intensity")[0, 1])


def test_who_moves_without_a_change_of_area_is_measured_again(new_store, fake_run):
    # A run that was killed between the areas and the places left them so.
    store = new_store()
    store.write(fake_run.result(0))
    before = store.read_measurements("centroid_y")[0, 0]
    labels = np.roll(fake_run.result(0).labels, 1, axis=0)
    store.write(replace(fake_run.result(0, [7]), labels=labels))
    measured = measure(labels, [3])
    assert measured.area[0] == measure(fake_run.result(0).labels, [3]).area[0]
    assert store.read_measurements("centroid_y")[0, 0] == measured.centroid_y[0]
    assert measured.centroid_y[0] != before


def evidence_of(count):
    parts = np.arange(len(EVIDENCE) * count, dtype=np.float32)
    return DivisionEvidence(*parts.reshape(-1, count))


def with_evidence(result):
    evidence = evidence_of(len(result.object_ids))
    return replace(result, scores=replace(result.scores, division=evidence))


def test_evidence_of_divisions_is_kept_with_the_scores(new_store, fake_run):
    store = new_store()
    store.write(with_evidence(fake_run.result(2)))
    store.write(with_evidence(fake_run.result(3)))
    store.write(fake_run.result(3, [7]))
    store.commit(fake_run.progress(4), None)
    kept = OmeZarrLabelStore.open(store.path, mode="r").read_division_evidence()
    for name in EVIDENCE:
        expected = getattr(evidence_of(2), name)
        np.testing.assert_array_equal(getattr(kept, name)[2, :2], expected)
        # What was written later without evidence says nothing of divisions.
        assert getattr(kept, name)[3, 0] == expected[0]
        assert np.isnan(getattr(kept, name)[3, 1])
        assert np.isnan(getattr(kept, name)[4]).all()


def test_a_store_from_before_evidence_opens_and_gets_it(new_store, fake_run):
    store = new_store()
    store.write(fake_run.result(0))
    store.commit(fake_run.progress(1), None)
    run = zarr.open_group(store.path / "labels/masklets/napari-sam2", mode="r+")
    for name in EVIDENCE:
        del run[name]
    old = OmeZarrLabelStore.open(store.path, mode="r").read_division_evidence()
    assert old.second_part.shape == old.sister_iou.shape
    assert np.isnan(old.second_part).all()
    store.close()
    again = OmeZarrLabelStore.open(store.path)
    again.write(with_evidence(fake_run.result(1)))
    again.commit(fake_run.progress(2), None)
    new = OmeZarrLabelStore.open(store.path, mode="r").read_division_evidence()
    assert np.isfinite(new.raw_area[1, :2]).all()


def test_a_store_without_measurements_opens_and_gets_them(new_store, fake_run):
    store = new_store()
    store.write(fake_run.result(0))
    store.commit(fake_run.progress(1), None)
    run = zarr.open_group(store.path / "labels/masklets/napari-sam2", mode="r+")
    for name in NAMES:
        del run[name]
    old = OmeZarrLabelStore.open(store.path, mode="r")
    assert np.isnan(old.read_measurements("centroid_x")).all()
    assert old.read_measurements("centroid_x").shape == (30, 2)
    store = OmeZarrLabelStore.open(store.path)
    store.write(fake_run.result(1))
    known = ~np.isnan(store.read_measurements("centroid_x"))
    assert known[:2].tolist() == [[False, False], [True, True]]


def test_tracks_of_a_store(new_store, fake_run):
    store = new_store()
    for frame in (0, 1, 3):
        store.write(fake_run.result(frame))
    tracks = tracks_of(store)
    assert tracks.rows[:, :2].tolist() == [
        [one, frame] for one in (3, 7) for frame in (0, 1, 3)
    ]
    assert tracks.graph == {7: [3]}
    first = np.argwhere(store.read_labels(0) == 3)
    np.testing.assert_allclose(tracks.rows[0, 2:], first.mean(axis=0))
    assert tracks.features["area"][0] == len(first)
    scores = store.read_score_table("predicted_iou")
    np.testing.assert_array_equal(
        tracks.features["predicted_iou"][:3], scores[[0, 1, 3], 0]
    )
    assert len(tracks_of(store, [1]).rows) == 2


def test_a_mother_without_pixels_is_no_mother():
    labels = np.zeros((4, 4), np.uint16)
    labels[1, 2] = 5
    tracks = track_table(track_rows([(8, labels)]), {5: 4, 4: None})
    assert tracks.rows.tolist() == [[5, 8, 1, 2]]
    assert tracks.graph == {}


def test_frames_are_asked_for_one_by_one():
    asked = []

    def frames():
        for frame in range(3):
            asked.append(frame)
            yield frame, np.zeros((4, 4), np.uint16)

    rows = track_rows(frames())
    assert next(rows).shape == (0, 5)
    assert asked == [0]
    table = track_table(rows, {})
    assert table.rows.shape == (0, 4)
    assert table.features["area"].shape == (0,)

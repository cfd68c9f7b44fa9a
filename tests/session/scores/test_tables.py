"""What is known of objects on frames, how far it is trusted, and what to look at."""

from dataclasses import replace

import numpy as np
import pytest

from napari_sam2.interfaces import FrameResult, ObjectScores
from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.scores import trust_rule as score_trust
from napari_sam2.session.scores.tables import COLUMNS, ScoreRow, ScoreTables
from napari_sam2.session.scores.trust_model import FEATURES, TrustModel
from napari_sam2.session.scores.trust_rule import blinks, in_blocks, neighbour_trust

FRAMES, IDS = 20, (3, 7)


def sound_tables(frame_count=FRAMES, ids=IDS):
    """Objects that are surely there and move evenly."""
    tables = ScoreTables.empty(ids, frame_count)
    tables.object_score[:] = 8
    tables.predicted_iou[:] = 0.95
    tables.stability[:] = 0.98
    tables.area[:] = 300
    tables.y[:] = 5 + 4.0 * np.arange(frame_count)[:, None]
    tables.x[:] = 9
    tables.intensity[:] = 100
    return tables


def random_tables(seed=0):
    rng = np.random.default_rng(seed)
    tables = sound_tables()
    for name in COLUMNS:
        getattr(tables, name)[:] *= rng.uniform(0.3, 1.2, tables.area.shape)
    tables.area[rng.random(tables.area.shape) < 0.2] = 0
    tables.area[4:6] = np.nan
    return tables


def book(**changes):
    """A book of both objects, the first of which is changed."""
    first, second = (ObjectState(one) for one in IDS)
    return BookState((replace(first, **changes), second))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("object_score", 0.2),
        ("predicted_iou", 0.5),
        ("stability", 0.6),
        ("area", 120),
        ("x", 40),
    ],
)
def test_a_single_bad_sign_makes_a_frame_the_least_trusted(name, value):
    tables = sound_tables()
    before = tables.trust().copy()
    assert before.min() > 0.95
    getattr(tables, name)[11, 1] = value
    trust = tables.with_trust(neighbour_trust).trust()
    assert np.unravel_index(trust.argmin(), trust.shape) == (11, 1)
    assert trust[11, 1] < 0.65
    np.testing.assert_array_equal(trust[:, 0], before[:, 0])
    np.testing.assert_array_equal(trust[[9, 13], 1], before[[9, 13], 1])


def test_trust_is_unknown_exactly_where_nothing_was_computed():
    tables = random_tables()
    trust = tables.trust()
    np.testing.assert_array_equal(np.isnan(trust), np.isnan(tables.area))
    assert np.nanmin(trust) >= 0
    assert np.nanmax(trust) <= 1


def test_unknown_signs_say_nothing():
    tables = ScoreTables.empty(IDS, FRAMES)
    tables.area[:] = 50
    assert (tables.trust() == 1).all()


def test_a_blink_is_doubtful_and_a_sure_absence_is_not():
    tables = sound_tables()
    tables.area[5, 0], tables.object_score[5, 0] = 0, -8
    tables.area[12:, 1], tables.object_score[12:, 1] = 0, -8
    assert np.argwhere(blinks(tables.presence())).tolist() == [[5, 0]]
    trust = tables.trust()
    assert trust[5, 0] == pytest.approx(0.5, abs=0.01)
    assert trust[12:, 1].min() > 0.99
    assert tables.worst_unreviewed(book()) == (3, 5)


def test_blocks_do_not_show(monkeypatch):
    tables = random_tables()
    whole = neighbour_trust(tables.as_scores())
    monkeypatch.setattr(score_trust, "BLOCK_VALUES", 2)
    np.testing.assert_array_equal(
        in_blocks(neighbour_trust, tables.as_scores()), whole.astype(np.float32)
    )


def test_a_frame_more_is_as_if_all_had_been_there_before():
    tables = random_tables()
    tables.trust()
    labels = np.zeros((16, 16), np.uint16)
    labels[2:5, 3:9] = 7
    scores = ObjectScores(*np.full((4, 1), 0.5, np.float32))
    result = FrameResult(8, labels, (7,), np.zeros((1, 2, 2), np.float32), scores)
    tables.write(ScoreRow.of(result, labels))
    assert [tables.area[8, 1], tables.y[8, 1], tables.x[8, 1]] == [18, 3, 5.5]
    assert tables.intensity[8, 1] == 7
    assert tables.stability[8, 1] == 0.5
    afresh = tables.with_trust(neighbour_trust)
    np.testing.assert_array_equal(tables.trust(), afresh.trust())
    np.testing.assert_array_equal(tables.presence(), afresh.presence())


def test_pixels_that_changed_hands_leave_the_scores():
    tables = sound_tables()
    labels = np.zeros((4, 4), np.uint16)
    kept = ObjectScores(*np.full((4, 2), 8, np.float32))
    result = FrameResult(2, labels, IDS, np.zeros((2, 2, 2), np.float32), kept)
    tables.write(ScoreRow.of(result))
    assert (tables.area[2] == 0).all()
    assert np.isnan(tables.y[2]).all()
    assert (tables.object_score[2] == 8).all()
    assert (tables.intensity[2] == 100).all()


def test_new_objects_get_a_column_and_the_others_keep_theirs():
    tables = sound_tables()
    tables.area[4, 1] = 77
    row = ScoreRow(4, (5,), {"area": np.array([9.0])})
    after = tables.with_objects((3, 5, 7))
    after.write(row)
    assert after.object_ids == (3, 5, 7)
    assert after.area[4].tolist() == [300, 9, 77]
    assert np.isnan(after.area[5, 1])
    assert after.with_objects((7,)).area[4].tolist() == [77]
    assert after.with_objects((3, 5, 7)) is after


@pytest.mark.parametrize(
    "changes",
    [
        {"reviewed": FrameSet.of([6])},
        {"locked": FrameSet.between(5, 8)},
        {"prompts": (FramePrompt(3, 6, points=(PointPrompt(1, 1),)),)},
    ],
)
def test_what_a_person_vouches_for_is_not_asked_again(changes):
    tables = sound_tables()
    tables.stability[6, 0], tables.stability[14, 1] = 0.55, 0.6
    assert tables.worst_unreviewed(book()) == (3, 6)
    assert tables.worst_unreviewed(book(**changes)) == (7, 14)
    assert np.flatnonzero(tables.doubtful(book())[:, 0]).tolist() == [6]
    assert not tables.doubtful(book(**changes))[:, 0].any()


def test_reviewing_the_worst_again_and_again_ends_with_all_reviewed():
    tables, state = random_tables(), book()
    visited = []
    while (worst := tables.worst_unreviewed(state)) is not None:
        object_id, frame = worst
        assert type(frame) is int
        thing = state[object_id]
        reviewed = thing.reviewed | FrameSet.of([frame])
        state = state.with_objects([replace(thing, reviewed=reviewed)])
        visited.append(tables.trust()[frame, tables.columns[object_id]])
    assert visited == sorted(visited)
    assert len(visited) == tables.unreviewed(book()).sum()


def test_objects_that_left_the_book_are_not_asked_for():
    tables = sound_tables()
    tables.stability[6, 0] = 0.5
    object_id, _ = tables.worst_unreviewed(BookState((ObjectState(7),)))
    assert object_id == 7
    assert tables.worst_unreviewed(BookState()) is None


def test_spans_and_means_are_of_the_frames_with_the_object():
    tables = sound_tables(ids=(3, 7, 9))
    tables.area[:4, 0] = np.nan
    tables.area[15:, 0] = 0
    tables.area[:, 2] = 0
    first, last, count = tables.spans()
    assert (first.tolist(), last.tolist()) == ([4, 0, -1], [14, 19, -1])
    assert count.tolist() == [11, 20, 0]
    mean = tables.mean_trust()
    assert mean[0] == pytest.approx(np.mean(tables.trust()[4:15, 0]))
    assert np.isnan(mean[2])


def test_displacement_is_in_the_unit_of_the_pixel():
    moved = sound_tables().displacement((0.5, 2.0))
    assert np.isnan(moved[0]).all()
    np.testing.assert_allclose(moved[1:], 2.0)
    assert sound_tables().displacement(object_ids=(7,)).shape == (FRAMES, 1)


def test_a_fitted_model_takes_the_place_of_the_heuristic():
    weights = tuple(float(name == "stability") for name in FEATURES)
    zeros, ones = (0.0,) * len(FEATURES), (1.0,) * len(FEATURES)
    model = TrustModel(zeros, ones, weights, 0.0, ((0.0, 0.0), (1.0, 1.0)))
    tables = random_tables().with_trust(model)
    here = tables.presence()
    odds = 1 / (1 + np.exp(-tables.stability[here]))
    np.testing.assert_allclose(tables.trust()[here], odds, rtol=1e-6)


def test_arrays_must_fit_the_objects():
    tables = sound_tables()
    with pytest.raises(ValueError, match=r"area has shape \(3, 2\), not \(20, 2\)"):
        replace(tables, area=np.zeros((3, 2)))

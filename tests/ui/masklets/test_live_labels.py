import threading

import numpy as np
import pytest

from napari_sam2.ui.masklets.live_labels import LiveLabels

SHAPE = (5, 6, 7)
FRAME = np.arange(42, dtype=np.uint16).reshape(6, 7)
ALL = slice(None)


@pytest.fixture
def live():
    return LiveLabels(SHAPE, np.uint16)


def test_frames_that_are_missing_are_background_and_asked_for_once(live):
    calls = []
    live.notify = lambda: calls.append(1)
    assert not live[2, ALL, ALL].any()
    assert not live[1:4, 0:2, 3].any()
    live[2, ALL, ALL]
    assert live.take_wanted() == [2, 1, 3]
    assert calls == [1]
    live[4, ALL, ALL]
    assert calls == [1, 1]


def test_frames_are_kept_as_they_came_and_given_away_as_copies(live):
    live.put(2, FRAME)
    np.testing.assert_array_equal(live[2, ALL, ALL], FRAME)
    np.testing.assert_array_equal(live[-3, 1:3, 4], FRAME[1:3, 4])
    np.testing.assert_array_equal(live[1:3, 2, ALL], [np.zeros(7), FRAME[2]])
    assert live[5:, ALL, 0:2].shape == (0, 6, 2)
    live[2, ALL, ALL][:] = 9
    np.testing.assert_array_equal(live[2, ALL, ALL], FRAME)
    with pytest.raises(IndexError):
        live[5, ALL, ALL]
    with pytest.raises(ValueError, match="frames"):
        live.put(0, FRAME.T)


def test_painting_makes_one_stroke_of_many_stamps(live):
    live.put(2, FRAME)
    live[2, 0:2, 0:2] = 50
    live[2, 1:3, 1:3] = 51
    live[2, [5, 5], [5, 6]] = 52
    assert live.is_painted
    (stroke,) = live.take_strokes()
    after = FRAME.copy()
    after[0:2, 0:2], after[1:3, 1:3], after[5, 5:] = 50, 51, 52
    assert stroke.frame_index == 2
    np.testing.assert_array_equal(stroke.before, FRAME)
    np.testing.assert_array_equal(stroke.after, after)
    np.testing.assert_array_equal(live[2, ALL, ALL], after)
    assert live.take_strokes() == []


def test_what_changes_nothing_is_no_stroke(live):
    live.put(2, FRAME)
    live[2, 0:2, 0:2] = FRAME[0:2, 0:2]
    assert live.take_strokes() == []


def test_what_is_not_there_yet_cannot_be_painted_on(live):
    live[1, 0:2, 0:2] = 5
    assert live.take_strokes() == []
    assert live.take_refused() == {1}
    assert live.take_wanted() == [1]
    live.put(1, FRAME)
    np.testing.assert_array_equal(live[1, ALL, ALL], FRAME)


def test_the_worker_does_not_paint_over_a_stroke_that_is_being_made(live):
    live.put(2, FRAME)
    live[2, 0, 0] = 99
    assert not live.put(2, FRAME + 1)
    assert live[2, 0, 0] == 99
    live.take_strokes()
    assert live.put(2, FRAME + 1)
    np.testing.assert_array_equal(live[2, ALL, ALL], FRAME + 1)


def test_an_aborted_stroke_gives_way_to_the_worker(live):
    live.put(2, FRAME)
    live[2, 0, 0] = 99
    live[2, 0, 0] = FRAME[0, 0]
    assert live.put(2, FRAME + 1)
    assert not live.is_painted


def test_frames_used_least_go_first_and_volumes_do_not_ask_for_ever():
    noise = np.random.default_rng(0).integers(0, 60_000, (4, 64, 64), np.uint16)
    live = LiveLabels((4, 64, 64), np.uint16, max_bytes=3 * 8_192)
    for frame in (0, 1):
        live.put(frame, noise[frame])
    live[0, ALL, ALL]
    for frame in (2, 3):
        live.put(frame, noise[frame])
    kept = [frame for frame in range(4) if live.is_loaded(frame)]
    assert 1 not in kept
    assert 3 in kept
    live[:, ALL, ALL]
    assert live.take_wanted() == []
    live[1, ALL, ALL]  # somebody looks at this very frame
    assert live.take_wanted() == [1]


def test_forgotten_frames_are_asked_for_again_and_seen_until_they_come(live):
    for frame in (1, 2):
        live.put(frame, FRAME)
    live.forget([1])
    np.testing.assert_array_equal(live[1, ALL, ALL], FRAME)
    assert live.take_wanted() == [1]
    live[1, 0, 0] = 5
    assert live.take_refused() == {1}
    live.put(1, FRAME + 1)
    np.testing.assert_array_equal(live[1, ALL, ALL], FRAME + 1)
    live[1, 0, 0] = 5
    assert live.is_painted
    live.take_strokes()
    live.forget()
    live.ask(range(-2, 9))
    assert live.take_wanted() == [0, 1, 2, 3, 4]


def test_without_a_keeper_frames_are_read_and_nothing_is_painted(live):
    live.put(0, FRAME)
    live.leave_to(lambda frame_index: FRAME + frame_index)
    np.testing.assert_array_equal(live[3, ALL, ALL], FRAME + 3)
    assert live.take_wanted() == []
    with pytest.raises(RuntimeError, match="Open the SAM 2 Tracker"):
        live[0, 0, 0] = 1
    np.testing.assert_array_equal(live[0, ALL, ALL], FRAME)


def test_readers_in_other_threads_see_whole_frames(live):
    """napari slices in a thread of its own when asynchronous slicing is on."""
    torn = []

    def look():
        for _ in range(300):
            seen = live[2, ALL, ALL]
            if len(np.unique(seen - FRAME)) > 1 and seen.any():
                torn.append(seen)

    live.put(2, FRAME)
    reader = threading.Thread(target=look)
    reader.start()
    for shift in range(300):
        live.put(2, FRAME + np.uint16(shift))
    reader.join()
    assert not torn

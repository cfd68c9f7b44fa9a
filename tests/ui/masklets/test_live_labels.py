import threading

import numpy as np
import pytest

from napari_sam2.ui.masklets.live_labels import LiveLabels

SHAPE = (5, 6, 7)
FRAME = np.arange(42, dtype=np.uint16).reshape(6, 7)
ALL = slice(None)


def on_disk(frame_index):
    return FRAME + np.uint16(100 * frame_index)


@pytest.fixture
def live():
    labels = LiveLabels(SHAPE, np.uint16, on_disk)
    labels.notify = lambda: None
    return labels


def there(live, *frames):
    """What is drawn of frames."""
    return np.array(list(live.look(frames)))


def true(live, *frames):
    """What somebody else gets of them."""
    return np.array(list(live.read(frames)))


def test_frames_that_are_missing_are_drawn_as_background_and_asked_for_once(live):
    calls = []
    live.notify = lambda: calls.append(1)
    assert not there(live, 2).any()
    assert not there(live, 1, 2, 3).any()
    there(live, 2)
    assert live.take_wanted() == [2, 1, 3]
    assert calls == [1]
    there(live, 4)
    assert calls == [1, 1]


def test_frames_that_are_missing_are_read_for_whoever_does_not_draw(live):
    live.put(3, FRAME)
    np.testing.assert_array_equal(true(live, 2, 3), [on_disk(2), FRAME])
    assert live.take_wanted() == []
    live.forget([3])
    np.testing.assert_array_equal(true(live, 3), [on_disk(3)])
    assert not live.is_loaded(2)


def test_frames_are_kept_as_they_came(live):
    live.put(2, FRAME)
    np.testing.assert_array_equal(there(live, 2), [FRAME])
    np.testing.assert_array_equal(there(live, 1, 2), [np.zeros((6, 7)), FRAME])
    with pytest.raises(ValueError, match="frames"):
        live.put(0, FRAME.T)


def test_painting_makes_one_stroke_of_many_stamps(live):
    live.put(2, FRAME)
    live.paint(2, slice(0, 2), slice(0, 2), 50)
    live.paint(2, slice(1, 3), slice(1, 3), 51)
    live.paint(2, [5, 5], [5, 6], 52)
    assert live.is_painted
    after = FRAME.copy()
    after[0:2, 0:2], after[1:3, 1:3], after[5, 5:] = 50, 51, 52
    np.testing.assert_array_equal(true(live, 2), [after])
    (stroke,) = live.take_strokes()
    assert stroke.frame_index == 2
    np.testing.assert_array_equal(stroke.before, FRAME)
    np.testing.assert_array_equal(stroke.after, after)
    np.testing.assert_array_equal(there(live, 2), [after])
    np.testing.assert_array_equal(true(live, 2), [after])
    assert live.take_strokes() == []


def test_what_changes_nothing_is_no_stroke(live):
    live.put(2, FRAME)
    live.paint(2, slice(0, 2), slice(0, 2), FRAME[0:2, 0:2])
    assert live.take_strokes() == []


def test_what_is_not_there_yet_cannot_be_painted_on(live):
    live.paint(1, slice(0, 2), slice(0, 2), 5)
    assert live.take_strokes() == []
    assert live.take_refused() == {1}
    assert live.take_wanted() == [1]
    live.put(1, FRAME)
    np.testing.assert_array_equal(there(live, 1), [FRAME])


def test_the_worker_does_not_paint_over_a_stroke_that_is_being_made(live):
    live.put(2, FRAME)
    live.paint(2, 0, 0, 99)
    assert not live.put(2, FRAME + 1)
    assert there(live, 2)[0, 0, 0] == 99
    live.take_strokes()
    assert live.put(2, FRAME + 1)
    np.testing.assert_array_equal(there(live, 2), [FRAME + 1])


def test_an_aborted_stroke_gives_way_to_the_worker(live):
    live.put(2, FRAME)
    live.paint(2, 0, 0, 99)
    live.paint(2, 0, 0, FRAME[0, 0])
    assert live.put(2, FRAME + 1)
    assert not live.is_painted


def test_frames_used_least_go_first_but_none_of_a_volume_that_is_looked_at():
    noise = np.random.default_rng(0).integers(0, 60_000, (5, 64, 64), np.uint16)
    live = LiveLabels((5, 64, 64), np.uint16, None, max_bytes=3 * 8_192)
    for frame in (0, 1):
        live.put(frame, noise[frame])
    there(live, 0)
    for frame in (2, 3):
        live.put(frame, noise[frame])
    kept = [frame for frame in range(4) if live.is_loaded(frame)]
    assert 1 not in kept
    assert 3 in kept
    there(live, *range(4))
    for frame in live.take_wanted():
        live.put(frame, noise[frame])
    np.testing.assert_array_equal(there(live, *range(4)), noise[:4])
    assert live.take_wanted() == []
    there(live, 1)
    live.put(4, noise[4])
    assert sum(map(live.is_loaded, range(5))) <= 3


def test_forgotten_frames_are_asked_for_again_and_seen_until_they_come(live):
    for frame in (1, 2):
        live.put(frame, FRAME)
    live.forget([1])
    np.testing.assert_array_equal(there(live, 1), [FRAME])
    assert live.take_wanted() == [1]
    live.paint(1, 0, 0, 5)
    assert live.take_refused() == {1}
    live.put(1, FRAME + 1)
    np.testing.assert_array_equal(there(live, 1), [FRAME + 1])
    live.paint(1, 0, 0, 5)
    assert live.is_painted
    live.take_strokes()
    live.forget()
    live.ask(range(-2, 9))
    assert live.take_wanted() == [0, 1, 2, 3, 4]


def test_without_a_keeper_frames_are_read_and_nothing_is_painted(live):
    live.put(0, FRAME)
    live.notify = None
    np.testing.assert_array_equal(there(live, 3), [on_disk(3)])
    assert live.take_wanted() == []
    with pytest.raises(RuntimeError, match="Open the SAM 2 Tracker"):
        live.paint(0, 0, 0, 1)
    np.testing.assert_array_equal(there(live, 0), [FRAME])
    live.put(3, FRAME)
    np.testing.assert_array_equal(true(live, 3), [on_disk(3)])


def test_readers_in_other_threads_see_whole_frames(live):
    """napari slices in a thread of its own when asynchronous slicing is on."""
    torn = []

    def look():
        for _ in range(300):
            (seen,) = there(live, 2)
            if len(np.unique(seen - FRAME)) > 1 and seen.any():
                torn.append(seen)

    live.put(2, FRAME)
    reader = threading.Thread(target=look)
    reader.start()
    for shift in range(300):
        live.put(2, FRAME + np.uint16(shift))
    reader.join()
    assert not torn

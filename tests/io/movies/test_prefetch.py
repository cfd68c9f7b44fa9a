import threading
import time

import numpy as np
import pytest

from napari_sam2.errors import InputError
from napari_sam2.interfaces import Calibration, FrameSource, ReadsAhead
from napari_sam2.io.movies.prefetch import PrefetchingFrameSource


class SlowFrames:
    """A source that notes who reads what, and can be broken or held at a frame."""

    frame_shape = (2, 3)
    calibration = Calibration(scale=(5.0, 1.0, 1.0))

    def __init__(self, frame_count=10, *, broken=(), gates=None):
        self.frame_count = frame_count
        self.provenance = {"source": "slow"}
        self.broken = set(broken)
        self.gates = gates or {}
        self.asked = []
        self.threads = set()
        self.closed = 0

    def read(self, frame_index):
        self.threads.add(threading.get_ident())
        self.asked.append(frame_index)
        if frame_index in self.gates:
            assert self.gates[frame_index].wait(60)
        if frame_index in self.broken:
            raise InputError(f"frame {frame_index} is broken")
        return np.full((2, 3, 3), frame_index, np.uint8)

    def close(self):
        self.closed += 1


@pytest.fixture
def prefetching():
    """Make prefetching sources, and check that their threads end with them."""
    made = []

    def make(source, **options):
        made.append(PrefetchingFrameSource(source, **options))
        return made[-1]

    yield make
    for source in made:
        source.close()
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("frame-reader")]


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.parametrize("order", [range(10), range(9, -1, -1)])
def test_frames_come_in_any_direction_each_read_once(prefetching, order):
    source = SlowFrames()
    frames = prefetching(source)
    for frame_index in order:
        assert (frames.read(frame_index) == frame_index).all()
    assert len(source.asked) - len(set(source.asked)) == 0
    assert len(source.threads) == 1
    assert threading.get_ident() not in source.threads


@pytest.mark.parametrize(("order", "ahead"), [([3, 4], [5, 6]), ([4, 3], [2, 1])])
def test_it_reads_two_ahead_and_no_further(prefetching, order, ahead):
    source = SlowFrames()
    frames = prefetching(source)
    for frame_index in order:
        frames.read(frame_index)
    wait_until(lambda: set(ahead) <= set(source.asked))
    time.sleep(0.02)
    assert set(source.asked) <= {3, 4, 5, 6, *ahead}


def test_it_stops_at_the_ends(prefetching):
    source = SlowFrames(4)
    frames = prefetching(source)
    for frame_index in [0, 1, 2, 3, 2, 1, 0]:
        frames.read(frame_index)
    assert set(source.asked) <= {0, 1, 2, 3}


def test_jumps_and_repeats_give_the_right_frames(prefetching):
    frames = prefetching(SlowFrames(50))
    for frame_index in [7, 7, 30, 29, 28, 28, 3, 4, 49, 0]:
        assert (frames.read(frame_index) == frame_index).all()


def test_an_error_belongs_to_its_frame(prefetching):
    source = SlowFrames(broken=[2])
    frames = prefetching(source)
    frames.read(0)
    wait_until(lambda: 2 in source.asked)
    frames.read(1)
    for _ in range(2):
        with pytest.raises(InputError, match="frame 2 is broken"):
            frames.read(2)
    assert (frames.read(3) == 3).all()


def test_an_error_in_a_frame_never_asked_for_is_nobodys(prefetching):
    source = SlowFrames(broken=[2])
    frames = prefetching(source)
    frames.read(1)
    wait_until(lambda: 2 in source.asked)
    assert (frames.read(0) == 0).all()


def test_a_look_ahead_waits_for_nothing_and_fails_never(prefetching):
    gate = threading.Event()
    source = SlowFrames(broken=[2], gates={1: gate})
    frames = prefetching(source)
    assert isinstance(frames, ReadsAhead)
    frames.read(0)
    assert frames.peek(1) is None
    gate.set()
    assert (frames.read(1) == 1).all()
    wait_until(lambda: frames.peek(3) is not None)
    assert (frames.peek(3) == 3).all()
    assert frames.peek(2) is None, "it is broken"
    assert frames.peek(9) is None


def test_closing_waits_for_the_frame_being_read_and_drops_the_others(prefetching):
    gate = threading.Event()
    source = SlowFrames(gates={1: gate})
    frames = prefetching(source)
    frames.read(0)
    wait_until(lambda: 1 in source.asked)
    threading.Timer(0.2, gate.set).start()
    frames.close()
    frames.close()
    assert gate.is_set()
    assert source.asked == [0, 1]
    assert source.closed == 1
    with pytest.raises(ValueError, match="closed"):
        frames.read(1)


def test_it_describes_what_it_wraps(prefetching):
    source = SlowFrames()
    frames = prefetching(source)
    assert isinstance(frames, FrameSource)
    assert frames.frame_count == 10
    assert frames.frame_shape == (2, 3)
    assert frames.calibration == source.calibration
    assert frames.provenance == {"source": "slow"}


def test_a_depth_below_one_is_refused():
    with pytest.raises(ValueError, match="depth 0"):
        PrefetchingFrameSource(SlowFrames(), depth=0)

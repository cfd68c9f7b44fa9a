"""The accountant against plain dictionaries; no torch here."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.tracking.memory.slots import (
    EMPTY,
    ROW_BLOCK,
    AnchorSlots,
    FrameRing,
    choose_anchors,
    grown_rows,
    padded,
    recall,
)

frames = st.integers(0, 200)


def test_neither_accountant_nor_label_image_need_torch():
    code = (
        "import sys, napari_sam2.tracking.memory.slots, "
        "napari_sam2.tracking.postprocess; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@given(st.lists(frames, max_size=40), st.integers(1, 15))
def test_a_ring_holds_the_latest_frame_of_each_slot(recorded, reach):
    ring = FrameRing(reach)
    ring.grow(3)
    row = np.asarray([1])
    expected = {}
    for frame_index in recorded:
        slot = ring.record(row, frame_index)
        expected[slot] = frame_index
    held = ring.held(row, np.arange(201))[0]
    assert set(np.flatnonzero(held)) == set(expected.values())
    assert not ring.held(np.asarray([0, 2]), np.arange(201)).any()


@given(st.integers(0, 100), st.integers(1, 15), st.booleans())
def test_after_a_pass_all_frames_within_reach_are_held(start, reach, reverse):
    ring = FrameRing(reach)
    ring.grow(1)
    row = np.asarray([0])
    step = -1 if reverse else 1
    passed = [start + step * n for n in range(3 * reach)]
    for frame_index in passed:
        ring.record(row, frame_index)
    # The frame in hand was recorded and may still be corrected: it needs all of these.
    behind = np.asarray(passed[-1 - reach : -1])
    assert ring.held(row, behind).all()


@pytest.mark.parametrize("reverse", [False, True])
def test_nothing_is_held_before_the_first_frame(reverse):
    ring = FrameRing(6)
    ring.grow(1)
    recalled = recall(
        (ring, FrameRing(15)),
        np.zeros(0, dtype=np.int64),
        [],
        0,
        pointer_reach=15,
        reverse=reverse,
    )
    assert recalled.ring_valid.shape == (0, 0)
    assert not ring.held(np.asarray([0]), np.arange(-20, 20)).any()


def test_dropping_a_frame_leaves_others():
    ring = FrameRing(6)
    ring.grow(2)
    rows = np.asarray([0, 1])
    ring.record(rows, 3)
    ring.record(rows[:1], 10)  # the same slot
    ring.drop(rows, 3)
    assert ring.held(rows, np.asarray([3, 10])).tolist() == [
        [False, True],
        [False, False],
    ]


def test_recall_orders_maps_old_to_recent_and_pointers_recent_to_old():
    spatial, pointers = FrameRing(6), FrameRing(15)
    rows = np.asarray([0, 1])
    for ring in (spatial, pointers):
        ring.grow(2)
        for frame_index in range(3, 13):
            ring.record(rows, frame_index)
        ring.forget(rows[1:])
        for frame_index in (11, 12):
            ring.record(rows[1:], frame_index)
    recalled = recall(
        (spatial, pointers), rows, [[11], [4]], 13, pointer_reach=4, reverse=False
    )
    # Frame 11 is a chosen anchor of the first row: it is not attended to twice.
    assert recalled.ring_distances.tolist() == [6, 5, 4, 3, 2, 1]
    assert recalled.ring_valid.tolist() == [
        [True, True, True, True, False, True],
        [False, False, False, False, True, True],
    ]
    assert recalled.pointer_distances.tolist() == [1, 2, 3, 4]
    assert recalled.pointer_valid.tolist() == [
        [True, False, True, True],
        [True, True, False, False],
    ]
    assert recalled.ring_slots.tolist() == [f % 7 for f in (7, 8, 9, 10, 11, 12)]


def official_choice(frame_index, anchors, limit):
    """The rule in the words of spec §1.5."""
    if limit is None or len(anchors) <= limit:
        return set(anchors)
    chosen = set()
    before = [a for a in anchors if a < frame_index]
    after = [a for a in anchors if a >= frame_index]
    chosen |= {max(before)} if before else set()
    chosen |= {min(after)} if after else set()
    for anchor in sorted(anchors, key=lambda a: abs(a - frame_index)):
        if len(chosen) < limit:
            chosen.add(anchor)
    return chosen


@given(
    st.lists(frames, unique=True, max_size=12),
    frames,
    st.one_of(st.none(), st.integers(3, 5)),
)
def test_the_nearest_anchors_are_chosen(anchors, frame_index, limit):
    anchors = [anchor for anchor in anchors if anchor != frame_index]
    chosen = choose_anchors(anchors, frame_index, limit)
    expected = official_choice(frame_index, anchors, limit)
    assert len(chosen) == len(set(chosen)) == len(expected)
    # Two anchors equally far on one side of a tie may stand for each other.
    assert sorted(abs(a - frame_index) for a in chosen) == sorted(
        abs(a - frame_index) for a in expected
    )
    if limit is None or len(anchors) <= limit:
        assert chosen == anchors  # all, in the order of their arrival


def test_the_two_bounding_anchors_come_first():
    assert choose_anchors([0, 10, 20, 30, 40], 22, 2) == [20, 30]
    assert choose_anchors([0, 10, 20, 30, 40], 22, 3) == [20, 30, 10]
    assert choose_anchors([30, 40], 22, 1) == [30]


@pytest.mark.parametrize(("frame", "bounds"), [(5, [10]), (15, [10, 20]), (99, [20])])
def test_two_anchors_are_the_bounds_of_the_gap_and_never_others(frame, bounds):
    assert choose_anchors([20, 10], frame, 2) == bounds


def test_an_anchor_takes_no_part_in_itself():
    assert choose_anchors([0, 10, 20], 10, None) == [0, 20]


@given(
    st.lists(st.lists(frames, unique=True, max_size=3), max_size=30),
    st.sampled_from([3, 5]),
)
def test_wanted_anchors_are_always_resident_in_slots_of_their_own(wishes, limit):
    slots = AnchorSlots(limit)
    memory = {}
    for wanted in wishes:
        memory |= {slot: frame for frame, slot in slots.place(7, wanted)}
        assert [memory[slots.slot(7, frame)] for frame in wanted] == wanted
        assert slots.slots == limit
        assert set(memory) <= set(range(limit))


def test_without_a_limit_slots_grow_with_the_anchors():
    slots = AnchorSlots(None)
    loads = slots.place(0, [1, 2, 3])
    assert [frame for frame, _ in loads] == [1, 2, 3]
    assert slots.slots >= 3
    assert slots.place(0, [3, 1]) == []
    slots.drop(0, 3)
    assert [frame for frame, _ in slots.place(0, [1, 3])] == [3]


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_rows_grow_in_blocks(rows, needed):
    grown = grown_rows(rows, needed)
    assert grown >= max(rows, needed)
    if needed <= rows:
        assert grown == rows
    else:
        assert grown % ROW_BLOCK == 0
        assert grown < max(needed, rows + rows // 4) + ROW_BLOCK


def test_padding_fills_short_rows_at_their_end():
    assert padded([[1, 2], [], [3]], EMPTY).tolist() == [
        [1, 2],
        [EMPTY, EMPTY],
        [3, EMPTY],
    ]
    assert padded([], 0).shape == (0, 0)

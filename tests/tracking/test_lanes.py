"""Batches of a small network side by side: the same bits, and nobody left behind."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import torch

from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.tracking import batching, precision
from napari_sam2.tracking.batching import Batch, BatchKind, BatchRunner, Shared

CPU = torch.device("cpu")
PATIENCE = 300


@pytest.fixture
def threads():
    """Give torch so many threads; it has its own back afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def batch_of(count):
    return Batch(BatchKind.TRACKED, 0, False, tuple(range(count)))


def one_by_one(lanes, limit=None):
    return BatchRunner(CPU, 2**30, limit, lanes)  # none fits beside another


def test_results_have_the_same_bits_on_any_number_of_cores(
    movie, prompts, make_predictor, threads, monkeypatch
):
    """Prompted, tracked and corrected objects, and what is remembered of them."""
    monkeypatch.setattr(batching, "CPU_BUDGET", 1)  # each object is a batch
    told = []
    for count in (1, 3):
        threads(count)
        predictor = make_predictor()
        assert predictor.precision.lanes == count
        results = [
            predictor.step(0, movie[0], prompts),
            predictor.step(1, movie[1], [FramePrompt(9, 1, (PointPrompt(20, 30),))]),
            predictor.step(2, movie[2], [FramePrompt(9, 2, (PointPrompt(25, 30),))]),
            predictor.step(3, movie[3]),
        ]
        assert torch.get_num_threads() == count
        told.append((results, predictor.snapshot()))
    (alone, kept), (beside, also_kept) = told
    for result, other in zip(alone, beside, strict=True):
        assert result.object_ids == other.object_ids
        np.testing.assert_array_equal(result.logits, other.logits)
        np.testing.assert_array_equal(result.pointers, other.pointers)
    assert kept.keys() == also_kept.keys()
    for name, array in kept.items():
        np.testing.assert_array_equal(array, also_kept[name], err_msg=name)


def test_a_large_network_keeps_torchs_threads(make_predictor, threads, monkeypatch):
    monkeypatch.setattr(precision, "SMALL_NETWORK", 1000)
    threads(2)
    chosen = make_predictor().precision
    assert (chosen.threads, chosen.lanes) == (None, 1)


def test_parts_are_computed_side_by_side_and_come_in_order():
    meeting = threading.Barrier(2)

    def compute(part):
        if part.object_ids[0] < 2:
            meeting.wait(PATIENCE)
            time.sleep(0.02 * (1 - part.object_ids[0]))  # the first ends last
        return part.object_ids[0]

    assert list(one_by_one(lanes=2).run(batch_of(5), compute)) == [0, 1, 2, 3, 4]


def test_lanes_go_on_with_the_next_batch_before_this_one_is_done():
    """Of 121 tiles of a few cells each one lane rested while the other embedded."""
    meeting = threading.Barrier(2)

    def compute(name, part):
        meeting.wait(PATIENCE)
        return name, part.object_ids

    work = [(batch_of(1), partial(compute, name)) for name in "abcd"]
    told = list(one_by_one(lanes=2).run_all(work))
    assert told == [(name, (0,)) for name in "abcd"]


def test_no_more_batches_are_begun_than_lanes_need():
    begun = []

    def work():
        for name in range(20):
            begun.append(name)
            yield batch_of(1), lambda part: part.object_ids

    for taken, _ in enumerate(one_by_one(lanes=2).run_all(work())):
        assert len(begun) <= taken + 4
    assert taken == 19


@pytest.mark.parametrize("lanes", [1, 2])
def test_what_ran_out_of_memory_goes_on_where_its_batch_was(lanes):
    runner = BatchRunner(CPU, 2**24, None, lanes)  # four at once

    def compute(name, part):
        if len(part) > 2:
            raise RuntimeError("DefaultCPUAllocator: not enough memory")
        return [(name, one) for one in part.object_ids]

    work = [
        (batch_of(size), partial(compute, name)) for name, size in enumerate((2, 7, 3))
    ]
    told = [pair for part in runner.run_all(iter(work)) for pair in part]
    assert told == [
        (name, one) for name, size in enumerate((2, 7, 3)) for one in range(size)
    ]


def test_what_lanes_share_is_made_once_and_again_where_it_failed():
    made = []

    def make():
        made.append(len(made))
        time.sleep(0.02)
        if len(made) == 1:
            raise RuntimeError("shapes do not fit")
        return made[-1]

    shared = Shared(make)
    with pytest.raises(RuntimeError, match="do not fit"):
        shared()
    with ThreadPoolExecutor(4) as lanes:
        assert {lane.result() for lane in [lanes.submit(shared) for _ in range(8)]} == {
            1
        }
    assert made == [0, 1]


def test_an_error_in_a_lane_is_told_when_nobody_computes_any_more():
    running = set()

    def compute(part):
        (one,) = part.object_ids
        running.add(one)
        if one == 1:
            raise RuntimeError("shapes do not fit")
        time.sleep(0.05)
        running.discard(one)
        return one

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        list(one_by_one(lanes=3).run(batch_of(9), compute))
    assert running == {1}


def test_a_lane_without_memory_halves_the_batch_for_good():
    runner = BatchRunner(CPU, 2**24, None, 2)  # four at once

    def compute(part):
        if len(part) > 1:
            raise RuntimeError("DefaultCPUAllocator: not enough memory")
        return part.object_ids

    done = list(runner.run(batch_of(6), compute))
    assert done == [(0,), (1,), (2,), (3,), (4,), (5,)]
    assert runner.limit == 1


@pytest.mark.parametrize(("limit", "most"), [(None, 4), (2, 2), (1, 1)])
def test_no_more_objects_are_in_hand_than_allowed(limit, most):
    now, seen, lock = [0], [], threading.Lock()

    def compute(_part):
        with lock:
            now[0] += 1
            seen.append(now[0])
        time.sleep(0.01)
        with lock:
            now[0] -= 1
        return True

    list(one_by_one(lanes=4, limit=limit).run(batch_of(12), compute))
    assert max(seen) <= most

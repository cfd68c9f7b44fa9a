"""Batches of a small network side by side: the same bits, and nobody left behind."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch

from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.tracking import batching, precision
from napari_sam2.tracking.batching import Batch, BatchKind, BatchRunner

CPU = torch.device("cpu")
PATIENCE = 20


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

"""When memory runs out, the batch is halved and the stream goes on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_sam2.errors import ModelError
from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.tracking.batching import (
    Batch,
    BatchKind,
    BatchRunner,
    is_out_of_memory,
)

CPU = torch.device("cpu")


def batch_of(count):
    return Batch(BatchKind.TRACKED, 0, False, tuple(range(1, count + 1)))


def out_of_memory_above(size, error=torch.OutOfMemoryError):
    """Return a computation that takes at most so many objects, and its attempts."""
    attempts = []

    def compute(part):
        attempts.append(len(part))
        if len(part) > size:
            raise error("CUDA out of memory. Tried to allocate 1 GiB")
        return part.object_ids

    return compute, attempts


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError])
def test_running_out_of_memory_halves_the_batch_for_good(error, caplog):
    runner = BatchRunner(CPU, bytes_per_object=1, limit=None)
    compute, attempts = out_of_memory_above(3, error)
    done = list(runner.run(batch_of(10), compute))
    assert [i for part in done for i in part] == list(range(1, 11))
    assert attempts == [10, 5, 2, 2, 2, 2, 2]
    assert "going on with 2 objects" in caplog.text
    list(runner.run(batch_of(4), compute))
    assert attempts[-2:] == [2, 2]


def test_one_object_that_does_not_fit_is_told_in_words(caplog):
    runner = BatchRunner(CPU, bytes_per_object=1, limit=None)
    compute, _ = out_of_memory_above(0)
    with pytest.raises(ModelError, match="not enough memory on cpu"):
        list(runner.run(batch_of(3), compute))


def test_other_errors_pass():
    def compute(part):
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        list(BatchRunner(CPU, 1, None).run(batch_of(2), compute))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("MPS backend out of memory (MPS allocated: 5 GB)", True),
        ("DefaultCPUAllocator: not enough memory: you tried to allocate 9", True),
        ("mat1 and mat2 shapes cannot be multiplied", False),
    ],
)
def test_out_of_memory_is_known_by_its_words(message, expected):
    assert is_out_of_memory(RuntimeError(message)) is expected


def test_the_free_memory_decides_the_size():
    runner = BatchRunner(CPU, bytes_per_object=2**24, limit=None)
    assert runner.size(100) == 4  # of 64 MiB
    assert runner.size(3) == 3
    assert BatchRunner(CPU, 2**40, None).size(100) == 1
    assert BatchRunner(CPU, 2**24, limit=2).size(100) == 2


@pytest.mark.parametrize(
    ("objects", "sizes", "sizes_of_small"),
    [
        (3, [3], [3]),
        (4, [2, 2], [2, 2]),
        (7, [3, 2, 2], [2, 2, 2, 1]),
        (10, [3, 3, 2, 2], [3, 3, 2, 2]),
    ],
)
def test_parts_are_as_few_as_fit_and_of_about_one_size(objects, sizes, sizes_of_small):
    """Those of a small network are even in number: two lanes end together."""
    for is_small, expected in ((False, sizes), (True, sizes_of_small)):
        for lanes in (1, 2):
            runner = BatchRunner(CPU, 1, 3, lanes, is_small=is_small)
            assert list(runner.run(batch_of(objects), len)) == expected


def test_the_stream_goes_on_with_the_same_result(movie, prompts, make_predictor):
    """An injected fault in the network: at most two objects fit."""
    plain, short = make_predictor(object_batch=2), make_predictor()
    network = short.network
    encode = network.encode_tracked

    def encode_few(embedding, seen):
        if len(seen.batch) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return encode(embedding, seen)

    network.encode_tracked = encode_few
    for predictor in (plain, short):
        predictor.step(0, movie[0], prompts)
    for frame_index in (1, 2, 3):
        result = short.step(frame_index, movie[frame_index])
        assert result.object_ids == (1, 2, 3, 4, 5)
        expected = plain.step(frame_index, movie[frame_index])
        np.testing.assert_array_equal(result.logits, expected.logits)
        np.testing.assert_array_equal(result.pointers, expected.pointers)


def test_a_frame_that_does_not_fit_is_told_in_words(movie, make_predictor):
    predictor = make_predictor(image_size=128)
    given = FramePrompt(1, 0, (PointPrompt(12, 12),))

    def embed(images):
        raise torch.OutOfMemoryError("CUDA out of memory")

    predictor.network.model.embed = embed
    try:
        with pytest.raises(ModelError, match="choose a smaller --image-size"):
            predictor.step(0, movie[0], [given])
    finally:
        del predictor.network.model.embed
    # Nothing was kept of the frame that failed.
    assert predictor.step(0, movie[0], [given]).object_ids == (1,)


def test_objects_with_unequal_numbers_of_points_never_share_a_batch(
    movie, make_predictor
):
    """A padding point is a token, too: it would change the result."""
    one = FramePrompt(1, 0, (PointPrompt(12, 12),))
    two = FramePrompt(2, 0, (PointPrompt(30, 40), PointPrompt(5, 5, positive=False)))
    together = make_predictor().step(0, movie[0], [one, two])
    for row, prompt in enumerate((one, two)):
        alone = make_predictor().step(0, movie[0], [prompt])
        np.testing.assert_array_equal(together.logits[row], alone.logits[0])

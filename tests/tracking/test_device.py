"""What a device does itself, on the CPU: equal to the bit, and asked for few times."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.overrides import TorchFunctionMode

from napari_sam2.errors import InputError
from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.tiles import TileLayout
from napari_sam2.tracking.batching import one_behind
from napari_sam2.tracking.device.painting import painted_labels
from napari_sam2.tracking.device.transfer import together_to_device
from napari_sam2.tracking.postprocess import label_image
from napari_sam2.tracking.preprocess import FrameGeometry, prepared

CPU = torch.device("cpu")


def masks(objects: int, *, small: bool) -> np.ndarray:
    """Return masks that fill the frame, or small ones, some of them equal."""
    random = np.random.default_rng(objects)
    if small:
        y, x = np.mgrid[:32, :32]
        places = random.uniform(0, 32, (objects, 2, 1, 1))
        logits = 4 - np.hypot(y - places[:, 0], x - places[:, 1])
    else:
        noise = random.standard_normal((objects, 32, 32))
        logits = 20 * ndimage.gaussian_filter(noise, (0, 2, 2))
    logits[objects // 2 :] = logits[: objects - objects // 2]
    return logits.astype(np.float32)


@pytest.mark.parametrize("small", [True, False])
@pytest.mark.parametrize("most_bytes", [1, 30_000, 2**28])
def test_a_painted_label_image_equals_the_one_of_the_host(small, most_bytes):
    """However few bytes it may take: row by row, some rows, or all at once."""
    logits = masks(7, small=small)
    ids = [9, 2**32 - 1, 3, 8, 1, 7, 70_000]
    shape = (41, 70)
    expected = label_image(ids, logits, shape, np.uint32)
    assert len(np.unique(expected)) > 3
    painted = painted_labels(
        ids, logits, shape, np.uint32, device=CPU, most_bytes=most_bytes
    )
    assert painted.dtype == np.uint32
    np.testing.assert_array_equal(painted, expected)


@pytest.mark.parametrize("region", [None, (3, 5, 57, 50)])
def test_a_painted_label_image_of_tiles_equals_the_one_of_the_host(region):
    layout = TileLayout.of_side((64, 72), 32, 8, region)
    logits = masks(20, small=False)
    random = np.random.default_rng(1)
    ids, tiles = random.permutation(20) + 1, np.arange(20) % len(layout)
    windows = layout.windows(tiles)
    asked = (ids.tolist(), logits, (64, 72), np.uint16, windows, layout.region)
    painted = painted_labels(*asked, device=CPU, most_bytes=60_000)
    np.testing.assert_array_equal(painted, label_image(*asked))


def test_nothing_is_painted_of_no_objects_and_of_ids_that_do_not_fit():
    nobody = np.zeros((0, 8, 8), np.float32)
    assert not painted_labels([], nobody, (5, 6), device=CPU).any()
    with pytest.raises(InputError, match="70000 does not fit"):
        painted_labels([70_000], masks(1, small=True), (5, 6), device=CPU)


@pytest.mark.parametrize(
    "shape", [(64, 64), (50, 70), (64, 200), (333, 64), (7, 9), (500, 300), (1, 2)]
)
def test_a_frame_prepared_on_a_device_has_the_bits_of_the_host(shape):
    random = np.random.default_rng(2)
    frame = random.choice([0, 1, 128, 254, 255], (*shape, 3)).astype(np.uint8)
    on_host = FrameGeometry(shape, 64).frame_tensor(frame)
    assert torch.equal(prepared(torch.from_numpy(frame), 64), on_host)


def test_arrays_that_are_sent_together_arrive_as_they_were():
    arrays = [np.arange(6).reshape(2, 3), np.arange(0), np.array([[7]])]
    sent = together_to_device(arrays, CPU)
    for array, tensor in zip(arrays, sent, strict=True):
        np.testing.assert_array_equal(array, tensor.numpy())
        assert array.shape == tensor.shape


def test_a_result_is_looked_at_when_the_next_one_was_asked_for():
    order = []

    def asked(count):
        for number in range(count):
            order.append(f"ask {number}")
            yield number

    looked_at = (f"look at {number}" for number in one_behind(asked(3)))
    order.extend(looked_at)
    assert order[:3] == ["ask 0", "ask 1", "look at 0"]
    assert [order.index(f"look at {n}") for n in range(3)] == [2, 4, 5]
    assert list(one_behind([])) == []


WAITS = {"item", "tolist", "numpy", "cpu", "nonzero", "__bool__", "__int__"}
WAITS |= {"__float__", "__index__", "masked_select", "unique", "argwhere"}


class Waits(TorchFunctionMode):
    """Counts calls that wait for a device, or would, if the tensor lay on one."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        index = args[1] if func is torch.Tensor.__getitem__ else ()
        parts = index if isinstance(index, tuple) else (index,)
        is_mask = any(getattr(one, "dtype", None) is torch.bool for one in parts)
        self.count += is_mask or func.__name__ in WAITS
        return func(*args, **(kwargs or {}))


def test_a_step_waits_as_often_for_ten_objects_as_for_two(movie, make_predictor):
    counts = []
    for objects in (2, 10):
        predictor = make_predictor()
        prompts = [
            FramePrompt(one + 1, 0, (PointPrompt(3.0 * one, 8.0),))
            for one in range(objects)
        ]
        predictor.step(0, movie[0], prompts)
        for at in (1, 2):
            predictor.step(at, movie[at])
        with Waits() as waits:
            predictor.step(3, movie[3])
        counts.append(waits.count)
    few, many = counts
    assert few == many <= 10

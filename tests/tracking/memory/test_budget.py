"""The numbers of a budget, beside the tensors that they are about."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.tracking.memory.counted_bytes import CountedBytes

from napari_sam2.model.checkpoints.checkpoint import build_model
from napari_sam2.model.config import CONFIGS
from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.tracking.memory.budget import (
    BudgetPlan,
    bytes_embedded,
    bytes_remembered,
    bytes_staged,
    plan_budget,
)
from napari_sam2.tracking.memory.slots import GAP_BOUNDS, ROW_BLOCK
from napari_sam2.tracking.memory.tensors import RowTensors
from napari_sam2.tracking.predictor import StreamingPredictor

NANO = CONFIGS["nano"]


def test_what_an_object_is_remembered_in_is_what_is_allocated():
    tensors = RowTensors(NANO, 192, torch.device("meta"), GAP_BOUNDS)
    tensors.grow(ROW_BLOCK)
    on_device = tensors.nbytes - tensors.logits.nbytes  # these lie on the host
    assert bytes_remembered(NANO, 192) * ROW_BLOCK == on_device


@given(
    total=st.integers(0, 2**40),
    model=st.integers(0, 2**31),
    remembered=st.integers(1, 2**24),
    computed=st.integers(1, 2**31),
    staged=st.integers(0, 2**31),
    embedded=st.integers(0, 2**27),
)
def test_a_budget_is_never_overdrawn(
    total, model, remembered, computed, staged, embedded
):
    plan = BudgetPlan(total, model, remembered, computed, staged, embedded)
    objects = plan.objects
    assert objects >= 0
    if objects:
        working = max(plan.at_once(objects) * computed, staged)
        taken = objects * remembered + working + plan.cached_bytes(objects)
        assert model + taken <= total
        more = (objects + ROW_BLOCK) * remembered + max(computed, staged)
        assert more > plan.spare_bytes, "as many as fit"


def test_a_larger_network_leaves_room_for_fewer_objects():
    small = plan_budget(NANO, 192, total_bytes=2**32, model_bytes=10**7)
    large = plan_budget(
        CONFIGS["sam2.1_large"], 1024, total_bytes=2**32, model_bytes=9 * 10**8
    )
    assert small.objects > 100 * large.objects / 2 > 0
    assert small.at_once(8) == 8
    assert plan_budget(NANO, 192, total_bytes=1, model_bytes=2).objects == 0


@pytest.mark.parametrize(
    ("name", "size"), [("nano", 128), ("nano", 256), ("sam2.1_tiny", 256)]
)
def test_what_a_frame_is_embedded_in_is_no_less_than_is_counted(name, size):
    config = CONFIGS[name]
    model = build_model(name, seed=1).eval()
    with torch.inference_mode(), CountedBytes() as counted:
        image = torch.zeros(1, 3, size, size)
        embedding = model.embed(image)
    kept = (embedding.features, *embedding.high_res)
    assert sum(tensor.nbytes for tensor in kept) == bytes_embedded(config, size)
    allowed = bytes_staged(config, size) + bytes_embedded(config, size)
    assert counted.peak <= allowed


@pytest.mark.parametrize("tile_size", [None, 96])
def test_a_budget_is_obeyed_from_frame_to_frame_in_tiles_too(tile_size):
    model, side, shape, objects = build_model("nano", seed=1), 128, (160, 160), 6
    weights = sum(weight.nbytes for weight in model.parameters())
    needed = plan_budget(model.config, side, total_bytes=0, model_bytes=weights)
    # Room for all rows, and for two objects at once.
    rows = ROW_BLOCK * needed.remembered_bytes
    plan = replace(
        needed, total_bytes=rows + 2 * needed.computed_bytes - needed.spare_bytes
    )
    assert plan.at_once(objects) == 2
    predictor = StreamingPredictor(
        model,
        frame_shape=shape,
        device="cpu",
        image_size=side,
        object_batch=plan.at_once(objects),
        cached_bytes=plan.cached_bytes(objects),
        tile_size=tile_size,
    )
    frame = np.random.default_rng(1).integers(0, 255, (*shape, 3), np.uint8)
    prompts = [
        FramePrompt(one, 0, (PointPrompt(20.0 + 20 * one, 140.0 - 20 * one),))
        for one in range(1, objects + 1)
    ]
    with CountedBytes() as counted:
        predictor.step(0, frame, prompts)
        for at in (1, 2):
            predictor.step(at, np.roll(frame, at, 0))
    assert weights + counted.peak <= plan.total_bytes

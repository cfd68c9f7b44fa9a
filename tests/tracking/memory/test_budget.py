"""The numbers of a budget, beside the tensors that they are about."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.model.config import CONFIGS
from napari_sam2.tracking.memory.budget import (
    BudgetPlan,
    bytes_remembered,
    plan_budget,
)
from napari_sam2.tracking.memory.slots import GAP_BOUNDS, ROW_BLOCK
from napari_sam2.tracking.memory.tensors import RowTensors

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
)
def test_a_budget_is_never_overdrawn(total, model, remembered, computed):
    plan = BudgetPlan(total, model, remembered, computed)
    objects = plan.objects
    assert objects >= 0
    if objects:
        taken = objects * remembered + plan.at_once(objects) * computed
        assert taken <= plan.spare_bytes
        more = (objects + ROW_BLOCK) * remembered + computed
        assert more > plan.spare_bytes, "as many as fit"


def test_a_larger_network_leaves_room_for_fewer_objects():
    small = plan_budget(NANO, 192, total_bytes=2**32, model_bytes=10**7)
    large = plan_budget(
        CONFIGS["sam2.1_large"], 1024, total_bytes=2**32, model_bytes=9 * 10**8
    )
    assert small.objects > 100 * large.objects / 2 > 0
    assert small.at_once(8) == 8
    assert plan_budget(NANO, 192, total_bytes=1, model_bytes=2).objects == 0

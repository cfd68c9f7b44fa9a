"""The dense task: targets by hand, and a loss that a perfect answer brings to zero."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_sam2.model.config import CONFIGS
from napari_sam2.model.sam2 import Sam2
from napari_sam2.train.passes.dense import (
    OFFSET_UNIT,
    DenseHead,
    dense_loss,
    dense_targets,
)


def test_targets_of_a_square_by_hand():
    labels = np.zeros((1, 32, 32), np.int32)
    labels[0, 8:20, 12:24] = 9  # low-resolution rows 2…4, columns 3…5
    inside, outline, x, y = dense_targets(labels)[0].numpy()
    assert inside.sum() == 9
    assert inside[2:5, 3:6].all()
    assert outline[2, 3:6].all()
    assert outline[5, 3:6].all()
    assert not outline[3, 4]
    np.testing.assert_allclose(x[3, 3:6] * OFFSET_UNIT, [1, 0, -1])
    np.testing.assert_allclose(y[2:5, 4] * OFFSET_UNIT, [1, 0, -1])
    assert not x[inside == 0].any()


def test_touching_cells_have_an_outline_between_them():
    labels = np.ones((1, 16, 16), np.int32)
    labels[0, :, 8:] = 2
    _, outline, _, _ = dense_targets(labels)[0].numpy()
    np.testing.assert_array_equal(outline, np.tile([False, False, True, False], (4, 1)))


def test_a_perfect_answer_costs_nothing():
    labels = np.zeros((2, 32, 32), np.int32)
    labels[:, 4:20, 4:20] = 1
    targets = dense_targets(labels)
    perfect = targets.clone()
    perfect[:, :2] = perfect[:, :2] * 60 - 30
    assert dense_loss(perfect, targets).item() == pytest.approx(0, abs=1e-6)
    wrong = perfect.clone()
    wrong[:, 2] += 1
    # smooth L1 with β 0.3 of an error of 1, in one of two channels: (1 − 0.15) / 2
    assert dense_loss(wrong, targets).item() == pytest.approx(0.425, rel=1e-4)


def test_background_alone_has_a_finite_loss():
    targets = dense_targets(np.zeros((1, 16, 16), np.int32))
    assert torch.isfinite(dense_loss(torch.zeros(1, 4, 4, 4), targets))


def test_the_head_reads_all_three_maps():
    torch.manual_seed(0)
    model, head = Sam2(CONFIGS["toy"]), DenseHead(CONFIGS["toy"])
    out = head(model.embed(torch.rand(2, 3, 64, 64)))
    assert out.shape == (2, 4, 16, 16)
    out.sum().backward()
    for name in ("neck.laterals.0", "neck.laterals.3"):
        layer = model.image_encoder.get_submodule(name)
        assert layer.weight.grad.abs().sum() > 0


def test_what_is_not_known_teaches_nothing():
    labels = np.full((1, 16, 16), -1, np.int32)
    labels[0, :8, :8] = 3
    targets = dense_targets(labels)
    predicted = torch.zeros(1, 4, 4, 4, requires_grad=True)
    loss = dense_loss(predicted, targets)
    loss.backward()
    taught = predicted.grad[0, 0] != 0
    assert taught[:2, :2].all()
    assert taught.sum() == 4
    assert torch.isfinite(loss)

"""Losses against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from napari_sam2.train.losses import (
    LossWeights,
    dice_loss,
    mask_iou,
    pixel_loss,
    prompt_losses,
    soft_targets,
)

QUARTER = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])


def test_pixel_loss_is_mean_cross_entropy():
    logits = torch.tensor([[[[0.0, 0.0], [math.log(3.0), -math.log(3.0)]]]])
    # −ln ½ twice; −ln(1 − ¾) at logit ln 3 on background; −ln(1 − ¼) at −ln 3.
    expected = (2 * math.log(2) + math.log(4) + math.log(4 / 3)) / 4
    assert pixel_loss(logits, QUARTER).item() == pytest.approx(expected, rel=1e-6)


def test_dice_loss_by_hand():
    logits = torch.zeros(1, 1, 2, 2)  # probability ½ everywhere
    # overlap ½, sum of both 2 + 1: 1 − (2·½ + 1) / (3 + 1) = ½
    assert dice_loss(logits, QUARTER).item() == pytest.approx(0.5)


def test_iou_counts_pixels_and_two_empty_masks_are_equal():
    logits = torch.tensor([[[[1.0, 1.0], [-1.0, -1.0]]]])
    assert mask_iou(logits, QUARTER).item() == pytest.approx(0.5)
    assert mask_iou(-torch.ones(1, 1, 2, 2), torch.zeros(1, 2, 2)).item() == 1.0


def test_soft_targets_are_covered_shares():
    mask = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    mask[..., :4, :2] = True
    assert soft_targets(mask).tolist() == [[[[0.5, 0.0], [0.0, 0.0]]]]


def test_only_the_best_candidate_learns_its_shape():
    weights = LossWeights(every=0.0, iou=0.0, presence=0.0)
    logits = torch.zeros(1, 3, 2, 2, requires_grad=True)
    with torch.no_grad():
        logits[0, 1] = QUARTER[0] * 8 - 4
    prompt_losses(
        logits, torch.zeros(1, 3), torch.zeros(1), QUARTER, weights
    ).sum().backward()
    used = logits.grad.abs().sum(dim=(2, 3))[0] > 0
    assert used.tolist() == [False, True, False]


def test_all_predicted_ious_learn():
    weights = LossWeights(pixel=0, dice=0, every=0, presence=0)
    logits = torch.stack([QUARTER[0] * 8 - 4, torch.ones(2, 2)])[None]
    loss = prompt_losses(
        logits, torch.tensor([[0.5, 0.75]]), torch.zeros(1), QUARTER, weights
    )
    # actual IoU 1 and ¼: (½ + ½) / 2
    assert loss.item() == pytest.approx(0.5)


def test_an_absent_object_teaches_presence_alone():
    weights = LossWeights(presence=1.0)
    logits = torch.ones(1, 3, 2, 2, requires_grad=True)
    score = torch.zeros(1, requires_grad=True)
    loss = prompt_losses(logits, torch.ones(1, 3), score, torch.zeros(1, 2, 2), weights)
    assert loss.item() == pytest.approx(math.log(2))
    loss.sum().backward()
    assert not logits.grad.any()
    assert score.grad.item() == pytest.approx(0.5)

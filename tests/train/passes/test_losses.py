"""Losses against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from napari_sam2.train.passes.losses import (
    at_target_size,
    dice_loss,
    mask_iou,
    pixel_loss,
    pixel_weights,
    prompt_losses,
    soft_targets,
)
from napari_sam2.train.recipe.loss_weights import PRESETS, LossWeights

QUARTER = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])


def test_pixel_loss_is_mean_cross_entropy():
    logits = torch.tensor([[[[0.0, 0.0], [math.log(3.0), -math.log(3.0)]]]])
    # −ln ½ twice; −ln(1 − ¾) at logit ln 3 on background; −ln(1 − ¼) at −ln 3.
    expected = (2 * math.log(2) + math.log(4) + math.log(4 / 3)) / 4
    assert pixel_loss(logits, QUARTER).item() == pytest.approx(expected, rel=1e-6)


def test_neighbours_near_and_the_outline_weigh_more():
    targets = torch.zeros(1, 1, 16)
    targets[..., :3] = 1
    others = torch.zeros(1, 1, 16)
    others[..., 5:] = 1
    assert pixel_weights(targets, others, LossWeights()) is None
    near = pixel_weights(targets, others, LossWeights(neighbours=3.0))
    # Another object counts up to eight pixels away from this one's last, 2.
    assert near.flatten().tolist() == [1.0] * 5 + [3.0] * 6 + [1.0] * 5
    edge = pixel_weights(targets, others, LossWeights(outline=2.0))
    assert edge.flatten().tolist() == [1.0] * 2 + [2.0] * 2 + [1.0] * 12
    logits = torch.zeros(1, 1, 1, 16)
    loss = pixel_loss(logits, targets, factors=near)
    assert loss.item() == pytest.approx(math.log(2) * 28 / 16)


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


def test_focal_loss_by_hand():
    logits = torch.tensor([[[[0.0, 0.0], [math.log(3.0), -math.log(3.0)]]]])
    # α (1 − p)² · cross-entropy: ¼ · ¼ · ln 2 on the object; on the background
    # ¾ · ¼ · ln 2, ¾ · (¾)² · ln 4 where it is thought inside, ¾ · (¼)² · ln(4/3).
    expected = (
        0.25 * 0.25 * math.log(2)
        + 0.75 * 0.25 * math.log(2)
        + 0.75 * 0.5625 * math.log(4)
        + 0.75 * 0.0625 * math.log(4 / 3)
    ) / 4
    assert pixel_loss(logits, QUARTER, "focal").item() == pytest.approx(expected)


def test_the_paper_weighs_focal_dice_iou_presence_20_1_1_1():
    paper = PRESETS["paper"]
    assert paper == LossWeights()
    parts = (paper.pixel, paper.dice, paper.iou, paper.presence)
    assert (paper.pixel_loss, parts) == ("focal", (20, 1, 1, 1))
    logits = torch.tensor([[[[2.0, -1.0], [-3.0, 0.5]]]])
    guess, score = torch.tensor([[0.4]]), torch.tensor([1.0])
    expected = (
        20 * pixel_loss(logits, QUARTER, "focal")[0, 0]
        + dice_loss(logits, QUARTER)[0, 0]
        + (guess - mask_iou(logits, QUARTER)).abs()[0, 0]
        + math.log(1 + math.exp(-1))
    )
    loss = prompt_losses(logits, guess, score, QUARTER, paper)
    assert loss.item() == pytest.approx(expected.item())


def test_logits_grow_to_the_size_of_their_targets():
    assert at_target_size(torch.zeros(1, 3, 2, 2), torch.zeros(1, 8, 8)).shape == (
        1,
        3,
        8,
        8,
    )
    same = torch.zeros(1, 3, 2, 2)
    assert at_target_size(same, QUARTER) is same


def test_absence_may_weigh_more():
    weights = LossWeights(presence=1.0, absent=3.0)
    logits, score = torch.zeros(1, 1, 2, 2), torch.zeros(1)
    loss = prompt_losses(logits, torch.ones(1, 1), score, torch.zeros(1, 2, 2), weights)
    assert loss.item() == pytest.approx(3 * math.log(2))

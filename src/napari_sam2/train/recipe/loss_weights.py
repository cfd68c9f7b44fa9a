"""Weights of the parts of the loss, as recipes state them; two presets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_sam2.train.recipe.typed_tables import NonNegativeFloat, check

PixelLoss = Literal["focal", "cross-entropy"]


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of the parts; the defaults are those of SAM 2, the preset "paper".

    Attributes
    ----------
    pixel_loss
        ``"focal"`` (α = 0.25, γ = 2) or ``"cross-entropy"``, mean over pixels.
    pixel, dice, iou, presence
        Weights of pixel loss, dice loss, predicted IoU (L1) and presence.
    absent
        Factor of the presence loss where the object is absent, which is the rarer case.
    every
        Share that the mean over all masks gets, besides the best of them.
    second
        Weight of the masks that a prompt of this kind would not choose from.
    full_size
        Compare at the size of the model's input instead of a quarter of it.
    neighbours, outline
        Factors of the pixel loss where another labelled object lies near, and along the
        object's own outline.
    dense
        Weight of the task of `napari_sam2.train.passes.dense`; set by the stage.
    """

    pixel_loss: PixelLoss = "focal"
    pixel: NonNegativeFloat = 20.0
    dice: NonNegativeFloat = 1.0
    iou: NonNegativeFloat = 1.0
    presence: NonNegativeFloat = 1.0
    absent: NonNegativeFloat = 1.0
    every: NonNegativeFloat = 0.0
    second: NonNegativeFloat = 0.0
    full_size: bool = True
    neighbours: NonNegativeFloat = 1.0
    outline: NonNegativeFloat = 1.0
    dense: NonNegativeFloat = 0.0

    def __post_init__(self) -> None:
        check("[losses]", self)


PRESETS = {
    "paper": LossWeights(),
    "nano": LossWeights(
        "cross-entropy",
        pixel=5.0,
        dice=1.0,
        iou=1.0,
        presence=0.8,
        every=0.1,
        second=0.3,
        full_size=False,
        dense=1.0,
    ),
}
"""By name: what fine-tunes the official weights, and what teaches from nothing."""

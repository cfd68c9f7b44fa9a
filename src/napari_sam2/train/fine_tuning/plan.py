"""How a network is adapted to a few masklets without losing what it could."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_sam2.model.config import SIZE_STEP
from napari_sam2.model.sam2 import Sam2
from napari_sam2.train.recipe.config import PromptMix, Source, Stage, TrainConfig
from napari_sam2.train.recipe.loss_weights import PRESETS

Learns = Literal["auto", "everything", "decoder", "low_rank"]

SMALL_WIDTH = 128
"""Networks up to this width are trained whole, wider ones by corrections (LoRA)."""

LARGEST_CROP = 512
LARGEST_SIDE = 1024
"""Larger frames are shrunk before they teach: they all stay in memory."""

LOW_RANK = 8
ENDLESS = 10**9

SIMULATED_MOVIES, SIMULATED_SEED = 12, 5000
"""Rehearsal: movies that nano's training may have seen alike, none of a preset."""

CHECKED_MOVIES, CHECKED_SEED, CHECKED_FRAMES = 3, 6000, 6
"""Movies on which it is measured what the network could before, and can after."""


@dataclass(frozen=True, slots=True)
class FineTuneSettings:
    """What a person decides about a fine-tuning.

    Attributes
    ----------
    minutes
        All the time that it may take.
    steps
        Optimiser steps instead of a time; 0 for the time. With steps the result depends
        on the seed alone.
    seed
        Of crops, prompts and simulated movies.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` …
    learns
        ``"everything"`` trains all weights, the trunk slowly; ``"decoder"`` prompt
        encoder and mask decoder; ``"low_rank"`` corrections of the attention (LoRA);
        ``"auto"`` everything in a small network such as nano, else corrections.
    learning_rate
        At its highest.
    trunk_rate
        Learning rate of the image encoder in parts of that.
    rehearsal
        Share of the steps that are about simulated movies.
    pull
        Part of the way back to the base that weights are pulled in a step.
    """

    name: str
    minutes: float = 5.0
    steps: int = 0
    seed: int = 0
    device: str = "auto"
    learns: Learns = "auto"
    learning_rate: float = 5e-5
    trunk_rate: float = 0.3
    rehearsal: float = 0.5
    pull: float = 0.002


def plan_training(
    model: Sam2, base: str, diameter: float, settings: FineTuneSettings, device: str
) -> TrainConfig:
    """Return the recipe of a fine-tuning; it has no end of its own.

    Parameters
    ----------
    base
        Its name or path.
    diameter
        Of the objects, in parts of the frame's sides: crops show them as large as the
        tracker sees them, a little smaller and larger, but at most 60 % of the crop.
    """
    learns = settings.learns
    is_small = model.config.hidden_dim <= SMALL_WIDTH
    if learns == "auto":
        learns = "everything" if is_small else "low_rank"
    side = model.config.image_size
    seen = max(diameter * side, 6.0)
    size = crop_size(side)
    largest = min(1.4 * seen, 0.6 * size)
    stage = Stage(
        "fine-tuning",
        ENDLESS,
        frames=6,
        image_every=2,
        size=size,
        crops=1,
        objects=4,
        image_crops=3,
        image_objects=5,
        diameter=(min(0.75 * seen, largest), largest),
        motion=0.5,
        learning_rate=settings.learning_rate,
        dense=0.0,
        prompts=PromptMix(click=0.5, box=0.2, coarse=0.1, mask=0.4, nothing=0.02),
    )
    return TrainConfig(
        model=model.config.name,
        stages=(stage,),
        sources=(Source("own masklets", "masklets", 1.0),),
        losses=PRESETS["nano" if is_small else "paper"],
        seed=settings.seed,
        weight_decay=0.0,
        ema_decay=0.97,
        precision="bf16" if device.startswith("cuda") else "fp32",
        base=base,
        freeze="all_but_decoder" if learns == "decoder" else "nothing",
        lora_rank=LOW_RANK if learns == "low_rank" else 0,
        trunk_rate=settings.trunk_rate,
        save_memory=not is_small,
        device=device,
        initialisation="default",
    )


def crop_size(image_size: int) -> int:
    """Return the side of crops: the model's input, but not too much for a step."""
    size = min(image_size, LARGEST_CROP)
    return max(SIZE_STEP, size // SIZE_STEP * SIZE_STEP)


def rehearsal_diameter(size: int) -> tuple[float, float]:
    """Return the range of diameters of simulated cells, in pixels of the crop.

    As in the last part of nano's training: what is not rehearsed is forgotten.
    """
    return 0.03 * size, 0.42 * size

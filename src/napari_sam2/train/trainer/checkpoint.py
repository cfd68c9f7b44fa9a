"""The state of an unfinished run on disk: enough to go on with equal bytes."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from napari_sam2.errors import InputError, ModelError
from napari_sam2.model.sam2 import Sam2
from napari_sam2.train.passes.dense import DenseHead

FORMAT = 2


@dataclass(slots=True)
class TrainingState:
    """What changes from step to step.

    Attributes
    ----------
    model, average
        The weights and their moving average.
    head
        The dense task's, used in training alone.
    optimizer
        Of ``model`` and ``head``.
    step
        Steps done in the whole run. Random numbers are drawn from a generator seeded
        with the run's seed and the step, so no generator state is kept.
    """

    model: Sam2
    average: Sam2
    head: DenseHead
    optimizer: torch.optim.Optimizer
    step: int = 0


def save_state(path: Path, state: TrainingState) -> None:
    """Write the state, replacing an older one only when the new one is whole."""
    part = path.with_suffix(".part")
    content = {
        "format": FORMAT,
        "step": state.step,
        "config": state.model.config.name,
        "model": state.model.state_dict(),
        "average": state.average.state_dict(),
        "head": state.head.state_dict(),
        "optimizer": state.optimizer.state_dict(),
    }
    torch.save(content, part)
    part.replace(path)


def load_state(path: Path, state: TrainingState) -> None:
    """Read a state into a model, average and optimizer of the same shapes.

    Raises
    ------
    InputError
        If there is no such file.
    ModelError
        If it is broken, or no checkpoint of a training run of this model and recipe.
    """
    if not path.is_file():
        raise InputError(f"{path}: no checkpoint to resume from; start without resume")
    content = _read(path)
    if content.get("format") != FORMAT or "optimizer" not in content:
        raise ModelError(f"{path}: no checkpoint of a training run")
    if content["config"] != state.model.config.name:
        raise ModelError(
            f"{path}: a run of model {content['config']!r}, the recipe trains "
            f"{state.model.config.name!r}"
        )
    try:
        state.model.load_state_dict(content["model"])
        state.average.load_state_dict(content["average"])
        state.head.load_state_dict(content["head"])
        state.optimizer.load_state_dict(content["optimizer"])
    except (RuntimeError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path}: what the run trains is not what the recipe trains now; freeze, "
            "lora_rank, trunk_rate and layer_decay must be as they were"
        ) from error
    state.step = int(content["step"])


def _read(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise ModelError(f"{path}: cannot be read, or is cut short") from error
    return content if isinstance(content, dict) else {}

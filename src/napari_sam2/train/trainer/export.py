"""From a run's checkpoint to weights that ship: half precision, with their origin."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import torch

from napari_sam2.model.checkpoints.checkpoint import save_model
from napari_sam2.train.recipe.config import TrainConfig
from napari_sam2.train.trainer.checkpoint import load_state
from napari_sam2.train.trainer.low_rank import merged
from napari_sam2.train.trainer.recorder import CHECKPOINT
from napari_sam2.train.trainer.trainer import start


def export_weights(
    config: TrainConfig,
    folder: Path,
    path: Path,
    *,
    notes: Mapping[str, str] | None = None,
) -> int:
    """Write the moving average of a run's last checkpoint as fp16 safetensors.

    Parameters
    ----------
    config
        The recipe of the run.
    folder
        The run's folder, holding ``last.pt``.
    path
        Ends in ``.safetensors``.
    notes
        Metadata: licence, data, git version.

    Returns
    -------
    int
        Steps that the weights were trained for.

    Raises
    ------
    InputError
        If the run has no checkpoint.
    """
    state = start(config)
    load_state(folder / CHECKPOINT, state)
    own = {
        "trained_steps": str(state.step),
        "trained_on": ", ".join(source.name for source in config.sources),
        "napari_sam2": version("napari-sam2"),
    }
    save_model(
        merged(state.average), path, dtype=torch.float16, notes={**own, **(notes or {})}
    )
    return state.step

"""Which network, and it loaded, once a process however many movies it tracks."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, PositiveInt

from napari_sam2.model.checkpoints.download import stamp_of
from napari_sam2.model.checkpoints.weights_file import weights_path
from napari_sam2.model.config import Sam2Config
from napari_sam2.tracking.hard_cases.names import HardCaseName
from napari_sam2.tracking.memory.budget import BudgetPlan, plan_budget

if TYPE_CHECKING:
    from napari_sam2.model.sam2 import Sam2


class ModelOptions(BaseModel):
    """Which network, where, and in which numbers.

    Attributes
    ----------
    model
        Name or path.
    image_size
        Side of its input in pixels; None for its own.
    device, precision, threads
        Where it computes and how; ``"auto"`` and None as the machine has it, threads
        with ``"auto"`` as a trial finds fastest. Equal results are promised for the
        same three.
    cpu_without_gpu
        Whether to compute on the CPU where the device is missing; refused otherwise.
    memory_bytes
        What tracking may take on the device, see `BudgetPlan`; None for what is free.
    raw_masks
        Leave holes as they are.
    one_component
        Keep one piece of each mask; None as the weights are best followed.
    tiles
        Side in pixels of the tiles that objects are followed in; ``"auto"`` as large as
        the prompted objects need; None for the frame.
    hard_cases
        What makes the movie difficult, see `HardCaseName`; each changes how objects are
        remembered.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = "nano"
    image_size: int | None = None
    device: str = "auto"
    precision: str = "auto"
    threads: Literal["auto"] | PositiveInt | None = None
    cpu_without_gpu: bool = False
    memory_bytes: PositiveInt | None = None
    raw_masks: bool = False
    one_component: bool | None = None
    tiles: Literal["auto"] | PositiveInt | None = None
    hard_cases: tuple[HardCaseName, ...] = ()

    def budget(self, config: Sam2Config) -> BudgetPlan | None:
        """Return what the memory allows with a model's network; None without a budget.

        Raises
        ------
        ModelError
            If there is no such model.
        """
        if self.memory_bytes is None:
            return None
        return plan_budget(
            config,
            self.image_size or config.image_size,
            total_bytes=self.memory_bytes,
            model_bytes=weights_path(self.model).stat().st_size,
        )


def loaded_model(name_or_path: str) -> Sam2:
    """Return the network of a name or a file; it is loaded again only if that changed.

    Predictors share it and leave it as it is.

    Raises
    ------
    ModelError
        If there is none, or it is broken.
    """
    path = weights_path(name_or_path)
    return _loaded(path, stamp_of(path))


@lru_cache(maxsize=1)
def _loaded(path: Path, stamp: tuple[int, int, int]) -> Sam2:
    from napari_sam2.model.checkpoints.checkpoint import load_model

    return load_model(path)

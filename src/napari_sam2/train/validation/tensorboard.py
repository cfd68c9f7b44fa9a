"""TensorBoard's event files, where its package is installed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = "tensorboard"


def is_installed() -> bool:
    """Whether the package ``tensorboard`` is there; torch's writer needs it."""
    return find_spec("tensorboard") is not None


class EventLog:
    """Scalars and pictures of a run for TensorBoard.

    Parameters
    ----------
    folder
        Of the run; events lie in its folder ``tensorboard``.
    step
        Steps done already: what an interrupted run wrote after them is hidden.
    """

    def __init__(self, folder: Path, step: int) -> None:
        # Not above: it needs a package that few have.
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(
            str(folder / FOLDER), purge_step=step + 1 if step else None
        )

    def scalars(self, group: str, values: Mapping[str, float], step: int) -> None:
        """Write named values of a step."""
        for name, value in values.items():
            self._writer.add_scalar(f"{group}/{name}", value, step)

    def picture(self, name: str, picture: np.ndarray, step: int) -> None:
        """Write a ``(Y, X, 3)`` uint8 picture, and everything that waits."""
        self._writer.add_image(name, picture, step, dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        """Write what waits, and close the file."""
        self._writer.close()

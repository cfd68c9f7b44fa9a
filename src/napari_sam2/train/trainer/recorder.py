"""What a run leaves behind: tables, example pictures, checkpoints."""

from __future__ import annotations

import copy
import csv
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from napari_sam2.train.data.examples import Corpus
from napari_sam2.train.recipe.config import Stage, TrainConfig
from napari_sam2.train.trainer.checkpoint import TrainingState, save_state
from napari_sam2.train.validation.pictures import example_picture, write_picture
from napari_sam2.train.validation.validation import validate

CHECKPOINT = "last.pt"
LOG = "log.csv"
VALIDATION_LOG = "validation.csv"
EXAMPLES = "examples"
LOG_EVERY = 20
COLUMNS = ("step", "group", "name", "value")

EVENTS = "tensorboard"


class Recorder:
    """Writes what is due after a step.

    Parameters
    ----------
    held_out
        Examples never trained on, by name.
    done
        Steps done before. What the folder holds of them is kept; rows of later ones,
        which a killed run wrote after its last checkpoint, will be written anew.
    """

    def __init__(
        self,
        config: TrainConfig,
        folder: Path,
        held_out: Mapping[str, Corpus],
        done: int,
    ) -> None:
        self.config = config
        self.folder = folder
        self.held_out = held_out
        self.log = _CsvLog(folder / LOG, done)
        self.validation_log = _CsvLog(folder / VALIDATION_LOG, done)
        self.events = EventLog(folder, done) if has_tensorboard() else None

    def record(
        self, state: TrainingState, stage: Stage, values: Mapping[str, float]
    ) -> None:
        """Write what is due after a step."""
        if self._is_due(state.step, LOG_EVERY):
            self.log.write(state.step, stage.name, values)
            if self.events:
                self.events.scalars("training", values, state.step)
        if self._is_due(state.step, self.config.validate_every):
            self._validate(state, stage)
        if self._is_due(state.step, self.config.checkpoint_every):
            save_state(self.folder / CHECKPOINT, state)

    def close(self) -> None:
        """Write what waits."""
        if self.events:
            self.events.close()

    def stop(self, state: TrainingState) -> None:
        """Write what is needed to go on from here, and what waits."""
        save_state(self.folder / CHECKPOINT, state)
        self.close()

    def _validate(self, state: TrainingState, stage: Stage) -> None:
        # On the CPU, where truth and metrics are.
        model = copy.deepcopy(state.average).cpu()
        for name, corpus in self.held_out.items():
            scores = validate(model, corpus, stage)
            self.validation_log.write(state.step, name, scores)
            picture = example_picture(model, corpus, stage)
            file = f"{name}-{state.step:07}.png"
            write_picture(picture, self.folder / EXAMPLES / file)
            if self.events:
                self.events.scalars(name, scores, state.step)
                self.events.picture(name, picture, state.step)

    def _is_due(self, step: int, every: int) -> bool:
        return step == self.config.total_steps or step % every == 0


class _CsvLog:
    """Rows with changing columns: one line ``step, group, name, value`` per value.

    What the file holds of steps up to ``done`` is kept.
    """

    def __init__(self, path: Path, done: int) -> None:
        self.path = path
        rows = _rows_until(path, done) if done and path.exists() else []
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])

    def write(self, step: int, group: str, values: Mapping[str, float]) -> None:
        """Append values of a step."""
        with self.path.open("a", newline="") as file:
            writer = csv.writer(file)
            for name, value in values.items():
                writer.writerow([step, group, name, f"{value:.6g}"])


def _rows_until(path: Path, done: int) -> list[list[str]]:
    """Return the whole rows of steps up to ``done``; a kill may have cut the last."""
    with path.open(newline="") as file:
        rows = [row for row in csv.reader(file) if len(row) == len(COLUMNS)]
    return [row for row in rows if row[0].isdecimal() and int(row[0]) <= done]


def has_tensorboard() -> bool:
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
            str(folder / EVENTS), purge_step=step + 1 if step else None
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

"""What a run leaves behind: tables, curves, example pictures, checkpoints."""

from __future__ import annotations

import copy
import csv
from collections.abc import Mapping
from pathlib import Path

from napari_sam2.train.checkpoint import TrainingState, save_state
from napari_sam2.train.config import Stage, TrainConfig
from napari_sam2.train.curves import draw, log_panels, validation_panels
from napari_sam2.train.examples import Corpus
from napari_sam2.train.pictures import example_picture, write_picture
from napari_sam2.train.tensorboard import EventLog, is_installed
from napari_sam2.train.validation import validate

CHECKPOINT = "last.pt"
LOG = "log.csv"
VALIDATION_LOG = "validation.csv"
CURVES = "curves.svg"
EXAMPLES = "examples"
LOG_EVERY = 20


class Recorder:
    """Writes what is due after a step.

    Parameters
    ----------
    config
        The recipe.
    folder
        Of the run.
    held_out
        Examples never trained on, by name.
    done
        Steps done before; what the folder holds is kept unless this is 0.
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
        self.log = _CsvLog(folder / LOG, keep=done > 0)
        self.validation_log = _CsvLog(folder / VALIDATION_LOG, keep=done > 0)
        self.events = EventLog(folder, done) if is_installed() else None

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
        panels = validation_panels(self.validation_log.path)
        panels += log_panels(self.log.path)
        (self.folder / CURVES).write_text(draw(panels))

    def _is_due(self, step: int, every: int) -> bool:
        return step == self.config.total_steps or step % every == 0


class _CsvLog:
    """Rows with changing columns: one line ``step, group, name, value`` per value."""

    def __init__(self, path: Path, *, keep: bool) -> None:
        self.path = path
        if not (keep and path.exists()):
            with path.open("w", newline="") as file:
                csv.writer(file).writerow(["step", "group", "name", "value"])

    def write(self, step: int, group: str, values: Mapping[str, float]) -> None:
        """Append values of a step."""
        with self.path.open("a", newline="") as file:
            writer = csv.writer(file)
            for name, value in values.items():
                writer.writerow([step, group, name, f"{value:.6g}"])

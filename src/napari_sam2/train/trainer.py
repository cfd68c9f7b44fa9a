"""The training loop: steps, moving average, log, checkpoints, validation."""

from __future__ import annotations

import copy
import csv
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from napari_sam2.model.config import CONFIGS
from napari_sam2.model.sam2 import Sam2
from napari_sam2.train.batches import make_batch
from napari_sam2.train.checkpoint import TrainingState, load_state, save_state
from napari_sam2.train.config import Stage, TrainConfig
from napari_sam2.train.dense import DenseHead
from napari_sam2.train.examples import Corpus
from napari_sam2.train.initialise import initialise_local
from napari_sam2.train.parallel import average_gradients, rank
from napari_sam2.train.passes import run_batch
from napari_sam2.train.validation import validate

CHECKPOINT = "last.pt"
LOG = "log.csv"
VALIDATION_LOG = "validation.csv"
LOG_EVERY = 20


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """Where a run stands, for a progress bar.

    Attributes
    ----------
    step, total
        Steps done, steps of the whole run.
    stage
        Name of the current stage.
    values
        Loss and scores of the step.
    seconds_per_step
        Mean since the run was started or resumed.
    """

    step: int
    total: int
    stage: str
    values: Mapping[str, float]
    seconds_per_step: float


def train(
    config: TrainConfig,
    data: Corpus,
    folder: Path,
    *,
    held_out: Mapping[str, Corpus] | None = None,
    resume: bool = False,
    on_progress: Callable[[TrainingProgress], None] | None = None,
) -> Sam2:
    """Train a model and return its moving average.

    Parameters
    ----------
    config
        The recipe.
    data
        Examples to train on.
    folder
        Gets ``last.pt``, ``log.csv`` and ``validation.csv``.
    held_out
        Examples never trained on, by name; validated every ``validate_every`` steps.
    resume
        Go on from ``last.pt``. On one machine with the same number of threads the
        result has the same bytes as an unbroken run.
    on_progress
        Called after every step.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if config.threads:
        torch.set_num_threads(config.threads)
    # Denormal numbers, which attention makes many of, cost tenfold on CPUs.
    torch.set_flush_denormal(True)
    state = start(config)
    if resume:
        load_state(folder / CHECKPOINT, state)
    recorder = _Recorder(config, folder, held_out or {}, resume) if not rank() else None
    began, first = time.monotonic(), state.step
    while state.step < config.total_steps:
        stage, stage_step = locate(config, state.step)
        values = train_step(config, state, data, stage, stage_step)
        if recorder:
            recorder.record(state, stage, values)
        if on_progress:
            seconds = (time.monotonic() - began) / (state.step - first)
            total = config.total_steps
            on_progress(
                TrainingProgress(state.step, total, stage.name, values, seconds)
            )
    return state.average


class _Recorder:
    """Writes logs, validation scores and checkpoints of a run when they are due."""

    def __init__(
        self,
        config: TrainConfig,
        folder: Path,
        held_out: Mapping[str, Corpus],
        resume: bool,
    ) -> None:
        self.config = config
        self.checkpoint = folder / CHECKPOINT
        self.held_out = held_out
        self.log = _CsvLog(folder / LOG, resume=resume)
        self.validation_log = _CsvLog(folder / VALIDATION_LOG, resume=resume)

    def record(
        self, state: TrainingState, stage: Stage, values: Mapping[str, float]
    ) -> None:
        """Write what is due after a step."""
        if self._is_due(state.step, LOG_EVERY):
            self.log.write({"step": state.step, "stage": stage.name, **values})
        if self._is_due(state.step, self.config.validate_every):
            for name, corpus in self.held_out.items():
                scores = validate(state.average, corpus, stage)
                row = {"step": state.step, "data": name, **scores}
                self.validation_log.write(row)
        if self._is_due(state.step, self.config.checkpoint_every):
            save_state(self.checkpoint, state)

    def _is_due(self, step: int, every: int) -> bool:
        return step == self.config.total_steps or step % every == 0


def start(config: TrainConfig) -> TrainingState:
    """Build the model, its average and the optimiser at step 0."""
    torch.manual_seed(config.seed)
    model = Sam2(CONFIGS[config.model])
    if config.initialisation == "local":
        initialise_local(model)
    model.train()
    average = copy.deepcopy(model).eval().requires_grad_(False)
    head = DenseHead(CONFIGS[config.model])
    groups = parameter_groups(model, config.weight_decay)
    groups.append({"params": list(head.parameters()), "weight_decay": 0.0})
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98))
    return TrainingState(model, average, head, optimizer)


def parameter_groups(model: nn.Module, decay: float) -> list[dict[str, object]]:
    """Split parameters: matrices and kernels decay, biases, norms and tokens do not."""
    embeddings = {
        id(module.weight)
        for module in model.modules()
        if isinstance(module, nn.Embedding)
    }
    heavy: list[nn.Parameter] = []
    light: list[nn.Parameter] = []
    for parameter in model.parameters():
        is_light = parameter.ndim < 2 or id(parameter) in embeddings
        (light if is_light else heavy).append(parameter)
    return [
        {"params": heavy, "weight_decay": decay},
        {"params": light, "weight_decay": 0.0},
    ]


def locate(config: TrainConfig, step: int) -> tuple[Stage, int]:
    """Return the stage that a step of the run belongs to, and its number in there."""
    for stage in config.stages:
        if step < stage.steps:
            return stage, step
        step -= stage.steps
    raise ValueError(f"step {step} is beyond the last stage")


def train_step(
    config: TrainConfig,
    state: TrainingState,
    data: Corpus,
    stage: Stage,
    stage_step: int,
) -> Mapping[str, float]:
    """Do one optimiser step; return loss, scores, rate and gradient norm."""
    random = np.random.default_rng((config.seed, state.step, rank()))
    still = stage.frames == 1 or (
        stage.image_every > 0 and stage_step % stage.image_every == 0
    )
    # The size is equal in all processes, so that none waits long for another.
    shared = np.random.default_rng((config.seed, state.step, 2**20))
    size = int(shared.choice((stage.size, *stage.other_sizes)))
    batch = make_batch(data, stage.at_size(size), random, still=still)
    for group in state.optimizer.param_groups:
        group["lr"] = stage.rate(stage_step)
    with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bf16"):
        head = state.head if stage.dense > 0 else None
        weights = replace(config.losses, dense=stage.dense)
        scores = run_batch(state.model, batch, weights, head)
    state.optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(scores.loss)
    average_gradients(nn.ModuleList([state.model, state.head]))
    norm = nn.utils.clip_grad_norm_(state.model.parameters(), config.clip_norm)
    state.optimizer.step()
    state.step += 1
    _follow(state, config.ema_decay)
    return {"rate": stage.rate(stage_step), "norm": float(norm), **scores.values}


@torch.no_grad()
def _follow(state: TrainingState, decay: float) -> None:
    """Move the average towards the model; quickly at first."""
    weight = 1.0 - min(decay, (1 + state.step) / (10 + state.step))
    average = [*state.average.parameters(), *state.average.buffers()]
    current = [*state.model.parameters(), *state.model.buffers()]
    for kept, new in zip(average, current, strict=True):
        kept.lerp_(new.detach(), weight)


class _CsvLog:
    """Rows with changing columns: one line ``step, name, value`` per value."""

    def __init__(self, path: Path, *, resume: bool) -> None:
        self.path = path
        if not (resume and path.exists()):
            with path.open("w", newline="") as file:
                csv.writer(file).writerow(["step", "group", "name", "value"])

    def write(self, row: dict[str, object]) -> None:
        """Append a row; its first two entries are step and group."""
        (_, step), (_, group), *values = row.items()
        with self.path.open("a", newline="") as file:
            writer = csv.writer(file)
            for name, value in values:
                writer.writerow([step, group, name, f"{value:.6g}"])

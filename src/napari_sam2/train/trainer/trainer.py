"""The training loop: steps, moving average, log, checkpoints, validation."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from napari_sam2.errors import InputError, ModelError
from napari_sam2.model.checkpoints.checkpoint import load_model
from napari_sam2.model.config import CONFIGS
from napari_sam2.model.sam2 import Sam2
from napari_sam2.train.data.batches import Batch
from napari_sam2.train.data.examples import Corpus
from napari_sam2.train.passes.dense import DenseHead
from napari_sam2.train.recipe.config import Stage, TrainConfig
from napari_sam2.train.trainer.checkpoint import TrainingState, load_state
from napari_sam2.train.trainer.drawing import coming_batches, locate
from napari_sam2.train.trainer.initialise import initialise_local
from napari_sam2.train.trainer.low_rank import add_low_rank
from napari_sam2.train.trainer.optimisation import (
    denormals_flushed,
    freeze,
    parameter_groups,
    regularise,
    save_memory,
    seed_step,
    set_rate,
)
from napari_sam2.train.trainer.parallel import (
    TrainingPass,
    anyone,
    own_device,
    rank,
    shared,
)
from napari_sam2.train.trainer.recorder import CHECKPOINT, Recorder
from napari_sam2.train.trainer.stage_clock import StageClock


class TrainingStopped(Exception):
    """A run was stopped between two steps; its checkpoint was written."""

    def __init__(self, step: int) -> None:
        super().__init__(f"stopped after step {step}")
        self.step = step


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
        Of the latest steps of this stage and kind.
    seconds_left
        Until the end of the run, see `napari_sam2.train.trainer.stage_clock`.
    """

    step: int
    total: int
    stage: str
    values: Mapping[str, float]
    seconds_per_step: float
    seconds_left: float


def train(
    config: TrainConfig,
    data: Corpus,
    folder: Path,
    *,
    held_out: Mapping[str, Corpus] | None = None,
    resume: bool = False,
    on_progress: Callable[[TrainingProgress], bool | None] | None = None,
) -> Sam2:
    """Train a model and return its moving average.

    Parameters
    ----------
    folder
        Gets what `napari_sam2.train.trainer.recorder` writes, ``last.pt`` above all.
    held_out
        Examples never trained on, by name; validated every ``validate_every`` steps.
    resume
        Go on from ``last.pt``. On one machine with the same number of threads the
        result has the same bytes as an unbroken run.
    on_progress
        Called after every step; True stops the run there.

    Raises
    ------
    InputError
        If the loss or its gradient is no number; the last checkpoint is from before.
    TrainingStopped
        If ``on_progress`` asked for it, after a checkpoint to go on from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if config.threads:
        torch.set_num_threads(config.threads)
    state = start(config)
    if resume:
        load_state(folder / CHECKPOINT, state)
    recorder = None if rank() else Recorder(config, folder, held_out or {}, state.step)
    training_pass = shared(TrainingPass(state.model, state.head))
    clock = StageClock(config)
    began = time.monotonic()
    for batch in coming_batches(config, data, state.step):
        stage, _ = locate(config, state.step)
        values = train_step(config, state, batch, training_pass)
        stepped = time.monotonic() - began
        _check_numbers(values, state.step, stage, folder)
        if recorder:
            recorder.record(state, stage, values)
        clock.note(state.step - 1, stepped, time.monotonic() - began)
        if on_progress:
            progress = _progress(config, state.step, stage, values, clock)
            if anyone(bool(on_progress(progress))):
                _stop(config, state, recorder)
        began = time.monotonic()
    if recorder:
        recorder.close()
    return state.average


def _check_numbers(
    values: Mapping[str, float], step: int, stage: Stage, folder: Path
) -> None:
    """End the run where a step's loss was no number, and say what mends it."""
    if math.isfinite(values["norm"]):
        return
    checkpoint = folder / CHECKPOINT
    begin = f"go on from {checkpoint}" if checkpoint.exists() else "start anew"
    raise InputError(
        f"{folder}: loss or gradient of step {step} is no number, and training has "
        f"ended; no weights were harmed. Lower learning_rate ({stage.learning_rate:g}) "
        f"of the stage {stage.name!r}, then {begin}"
    )


def _stop(config: TrainConfig, state: TrainingState, recorder: Recorder | None) -> None:
    """End the run here, unless it has come to its own end."""
    if state.step < config.total_steps:
        if recorder:
            recorder.stop(state)
        raise TrainingStopped(state.step)


def _progress(
    config: TrainConfig,
    step: int,
    stage: Stage,
    values: Mapping[str, float],
    clock: StageClock,
) -> TrainingProgress:
    return TrainingProgress(
        step=step,
        total=config.total_steps,
        stage=stage.name,
        values=values,
        seconds_per_step=clock.seconds_per_step(step - 1),
        seconds_left=clock.seconds_left(step),
    )


def start(config: TrainConfig) -> TrainingState:
    """Build the model, its average and the optimiser at step 0."""
    torch.manual_seed(config.seed)
    model = _first_weights(config)
    if config.lora_rank:
        add_low_rank(model, config.lora_rank)
    freeze(model, config.freeze)
    device = own_device(config.device)
    model.to(device).train()
    average = copy.deepcopy(model).eval().requires_grad_(False)
    # After the copy: the average is never trained.
    regularise(model, config.drop_path, config.dropout)
    if config.save_memory:
        save_memory(model)
    head = DenseHead(CONFIGS[config.model]).to(device)
    groups = parameter_groups(
        model,
        config.weight_decay,
        trunk_rate=config.trunk_rate,
        layer_decay=config.layer_decay,
    )
    groups.append({"params": list(head.parameters()), "weight_decay": 0.0})
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98))
    return TrainingState(model, average, head, optimizer)


def _first_weights(config: TrainConfig) -> Sam2:
    if config.base:
        model = load_model(config.base).requires_grad_(True)
        if model.config.name != config.model:
            raise ModelError(
                f"{config.base}: weights of {model.config.name}, but the recipe trains "
                f"{config.model}"
            )
        return model
    model = Sam2(CONFIGS[config.model])
    if config.initialisation == "local":
        initialise_local(model)
    return model


@denormals_flushed()
def train_step(
    config: TrainConfig,
    state: TrainingState,
    batch: Batch,
    training_pass: nn.Module | None = None,
) -> Mapping[str, float]:
    """Do one optimiser step; return loss, scores, rate and gradient norm.

    Where the loss or its gradient is no number, in any process, weights and average
    stay as they are, and in all processes the norm is NaN.

    Parameters
    ----------
    batch
        What this step sees, as `napari_sam2.train.trainer.drawing` draws it.
    training_pass
        Model and head as `napari_sam2.train.trainer.parallel.shared` gives them; made
        anew if None.
    """
    stage, stage_step = locate(config, state.step)
    if training_pass is None:
        training_pass = TrainingPass(state.model, state.head)
    set_rate(state.optimizer, stage.rate(stage_step))
    if config.drop_path or config.dropout:
        seed_step(config.seed, state.step, rank())
    device = own_device(config.device)
    half = config.precision == "bf16"
    with torch.autocast(device.type, torch.bfloat16, enabled=half):
        weights = replace(config.losses, dense=stage.dense)
        loss = training_pass(batch.to(device), weights)
    state.optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    trained = [p for p in state.model.parameters() if p.requires_grad]
    norm = float(nn.utils.clip_grad_norm_(trained, config.clip_norm))
    state.step += 1
    if anyone(not _is_finite(loss, norm, state.head)):
        norm = math.nan
    else:
        state.optimizer.step()
        _follow(state, config.ema_decay)
    values = {"rate": stage.rate(stage_step), "norm": norm}
    return values | _values_of(training_pass)


def _is_finite(loss: torch.Tensor, norm: float, head: nn.Module) -> bool:
    """Return whether loss, gradient of the model and that of the head are numbers."""
    gradients = [p.grad for p in head.parameters() if p.grad is not None]
    numbers = (float(loss.detach()), norm)
    return all(map(math.isfinite, numbers)) and all(
        bool(gradient.isfinite().all()) for gradient in gradients
    )


def _values_of(training_pass: nn.Module) -> dict[str, float]:
    if isinstance(training_pass, DistributedDataParallel):
        training_pass = training_pass.module
    if not isinstance(training_pass, TrainingPass) or training_pass.scores is None:
        raise TypeError("a training pass that has not run has no scores")
    return dict(training_pass.scores.values)


@torch.no_grad()
def _follow(state: TrainingState, decay: float) -> None:
    """Move the average towards the model; quickly at first."""
    weight = 1.0 - min(decay, (1 + state.step) / (10 + state.step))
    average = [*state.average.parameters(), *state.average.buffers()]
    current = [*state.model.parameters(), *state.model.buffers()]
    for kept, new in zip(average, current, strict=True):
        kept.lerp_(new.detach(), weight)

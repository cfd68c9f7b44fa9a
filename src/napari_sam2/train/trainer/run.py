"""A training run from a recipe file to weights: what `napari-sam2 train` calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from napari_sam2.errors import InputError, OutputError
from napari_sam2.model.checkpoints.checkpoint import save_model
from napari_sam2.model.sam2 import Sam2
from napari_sam2.paths import read_text, refuse_taken
from napari_sam2.train.data.examples import (
    SMALLEST_OBJECT,
    Corpus,
    Example,
    named,
    prepare,
)
from napari_sam2.train.data.simulated import simulated_examples
from napari_sam2.train.recipe.config import Source, TrainConfig, read_config
from napari_sam2.train.trainer.checkpoint import load_state
from napari_sam2.train.trainer.low_rank import merged
from napari_sam2.train.trainer.parallel import workers
from napari_sam2.train.trainer.recorder import CHECKPOINT, EXAMPLES, LOG, VALIDATION_LOG
from napari_sam2.train.trainer.trainer import TrainingProgress, start, train

if TYPE_CHECKING:
    from napari_sam2.io.training.images import LabelledImage

SIMULATED_HELD_OUT = 6
SIMULATED_SEED = 1000


def run_training(
    config_path: Path,
    *,
    folder: Path,
    resume: bool = False,
    on_progress: Callable[[TrainingProgress], bool | None] | None = None,
) -> Sam2:
    """Train as a recipe says.

    Parameters
    ----------
    config_path
        The recipe (TOML, see `napari_sam2.train.recipe.config`).
    folder
        Gets checkpoints, logs and, at the end, the weights (``nano.safetensors`` for
        the model ``nano``), which go wherever a model is asked for.
    resume
        Go on from the folder's last checkpoint.
    on_progress
        Called after every step; True stops the run there.

    Raises
    ------
    InputError
        If the recipe or its data cannot be used.
    OutputError
        If the folder holds a run already, and it is not to go on, or files of the names
        that a run writes.
    TrainingStopped
        If ``on_progress`` asked for it, after a checkpoint to go on from.
    """
    config = read_config(config_path)
    weights = folder / f"{config.model}.safetensors"
    if not resume:
        _check_free(folder, weights)
    data, held_out = open_sources(config, config_path.parent)
    with workers(config.device) as worker:
        average = train(
            config,
            data,
            folder,
            held_out=held_out,
            resume=resume,
            on_progress=on_progress,
        )
        if worker == 0:
            export_weights(config, folder, weights)
    return average


def _check_free(folder: Path, weights: Path) -> None:
    """Refuse a folder in which a new run would replace files."""
    if (folder / CHECKPOINT).exists():
        raise OutputError(
            f"{folder} holds a training run already: go on with it (--resume), or give "
            "another folder (--out)"
        )
    for path in (weights, *(folder / one for one in (LOG, VALIDATION_LOG, EXAMPLES))):
        refuse_taken(path, "a run would replace it: give another folder (--out)")


def open_sources(config: TrainConfig, base: Path) -> tuple[Corpus, dict[str, Corpus]]:
    """Read all sources; return what is trained on, and what is held out by source."""
    collections: list[list[Example]] = []
    held_out: dict[str, Corpus] = {}
    for source in config.sources:
        if source.kind == "simulator":
            kept = simulated_examples(source.count, SIMULATED_SEED)
            held = simulated_examples(SIMULATED_HELD_OUT, 0)
        else:
            kept, held = split(source, base)
        if not kept:
            raise InputError(f"source {source.name!r}: nothing left to train on")
        collections.append(kept)
        if held:
            if not any(len(example.objects) for example in held):
                raise InputError(
                    f"source {source.name!r}: nothing that is held out "
                    f"({named(held)}) shows an object of at least {SMALLEST_OBJECT} "
                    f"pixels; name others in {source.holdout}"
                )
            held_out[source.name] = Corpus((held,), (1.0,))
    weights = tuple(source.weight for source in config.sources)
    return Corpus(tuple(collections), weights), held_out


def split(source: Source, base: Path) -> tuple[list[Example], list[Example]]:
    """Read files; return the examples to train on and those held out."""
    names = _held_out_names(base / source.holdout) if source.holdout else frozenset()
    kept: list[Example] = []
    held: list[Example] = []
    for image in _read(source, base):
        example = prepare(image, invert=source.invert, is_complete=image.is_complete)
        if len(example.objects) or image.name in names:
            (held if image.name in names else kept).append(example)
    if len(held) != len(names):
        missing = sorted(names - {example.name for example in held})
        raise InputError(
            f"{base / source.holdout}: names images that {base / source.path} "
            f"does not hold: {', '.join(missing[:3])}"
        )
    return kept, held


def _held_out_names(path: Path) -> frozenset[str]:
    lines = read_text(path, "a list of names").splitlines()
    return frozenset(line.strip() for line in lines if line.strip())


def _read(source: Source, base: Path) -> Iterator[LabelledImage]:
    # Here, so that training on simulated movies needs no file formats.
    from napari_sam2.io.training.sources import TrainingSource, read_source

    if source.kind == "simulator":
        raise ValueError("simulated movies are not read from files")
    return read_source(
        TrainingSource(
            source.kind,
            base / source.path,
            base / source.images if source.images else None,
            source.trust,
            source.max_side,
            source.frames,
        )
    )


def export_weights(config: TrainConfig, folder: Path, path: Path) -> int:
    """Write the moving average of a run's last checkpoint as fp16 safetensors.

    Parameters
    ----------
    folder
        The run's folder, holding ``last.pt``.
    path
        Ends in ``.safetensors``.

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
    notes = {
        "trained_steps": str(state.step),
        "trained_on": ", ".join(source.name for source in config.sources),
        "napari_sam2": version("napari-sam2"),
    }
    save_model(merged(state.average), path, dtype=torch.float16, notes=notes)
    return state.step

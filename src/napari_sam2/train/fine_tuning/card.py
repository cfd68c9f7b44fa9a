"""A fine-tuned model as a file, with a card that says what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

from napari_sam2.errors import OutputError
from napari_sam2.model.checkpoints.checkpoint import save_model
from napari_sam2.model.checkpoints.notes import TRUST_NOTE, read_notes
from napari_sam2.model.checkpoints.own_models import (
    AFTER_NOTE,
    BASE_NOTE,
    BASE_SHA256_NOTE,
    BEFORE_NOTE,
    CARD_SUFFIX,
    DATE_NOTE,
)
from napari_sam2.model.checkpoints.weights_file import (
    PICKLE_SUFFIXES,
    SAFETENSORS_SUFFIX,
)
from napari_sam2.model.sam2 import Sam2
from napari_sam2.train.fine_tuning.movie import TaughtMovie, parted
from napari_sam2.train.fine_tuning.plan import FineTuneSettings
from napari_sam2.train.fine_tuning.run import Scored

CARD = """\
# {name}

Fine-tuned from **{base}** with napari-sam2 {version} on {date}.

| | before | after |
| --- | --- | --- |
| J on the held-out frames | {was.held_out:.3f} | {now.held_out:.3f} |
| J on simulated movies of other cells | {was.simulated:.3f} | {now.simulated:.3f} |

J is the mean of masks from one click and of masks tracked from a true one. The best of
several moments of the training, and of several blends with the base, was chosen by
these very frames: expect a little less on new ones.

## Learned from

{movies}

The last quarter of these frames was never trained on; the scores are from there.

## How

{steps} steps in {minutes:.1f} minutes, seed {seed}, highest learning rate {rate:g},
{learns}; {rehearsal:.0%} of the steps were on simulated movies. The file lies
{blend:.0%} of the way from the base to the trained weights. Base: SHA-256 {sha256}.

What is told of the masks' trust was fitted to the base, not to this model.
"""

LEARNS = {
    "auto": "all weights of a small network, corrections of attention of a large one",
    "everything": "all weights",
    "decoder": "prompt encoder and mask decoder only",
    "low_rank": "corrections of attention (LoRA)",
}


@dataclass(frozen=True, slots=True)
class Training:
    """What a model came from.

    Attributes
    ----------
    base
        Name or path as the person gave it.
    weights, sha256
        The file that this stands for, and its hash.
    blend
        Part of the way from the base to the trained weights.
    is_broken
        Whether its last step gave no number, which ended it.
    """

    base: str
    weights: Path
    sha256: str
    settings: FineTuneSettings
    before: Scored
    after: Scored
    blend: float
    steps: int
    seconds: float
    is_broken: bool = False


def write_model(
    model: Sam2, path: Path, training: Training, movies: Sequence[TaughtMovie]
) -> str:
    """Write the file and its card; return the card.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    card = card_of(training, movies)
    own = {
        BASE_NOTE: base_title(training.base),
        BASE_SHA256_NOTE: training.sha256,
        BEFORE_NOTE: f"{training.before.held_out:.3f}",
        AFTER_NOTE: f"{training.after.held_out:.3f}",
        DATE_NOTE: _today(),
        "simulated_before": f"{training.before.simulated:.3f}",
        "simulated_after": f"{training.after.simulated:.3f}",
        "trained_steps": str(training.steps),
        "trained_on": ", ".join(movie.name for movie in movies),
        "seed": str(training.settings.seed),
        "blend": f"{training.blend:g}",
        "napari_sam2": version("napari-sam2"),
    }
    trust = read_notes(training.weights).get(TRUST_NOTE)
    notes = own if trust is None else {**own, TRUST_NOTE: trust}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(CARD_SUFFIX).write_text(card, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    save_model(model, path, dtype=torch.float16, notes=notes)
    return card


def card_of(training: Training, movies: Sequence[TaughtMovie]) -> str:
    """Return the card, in Markdown."""
    settings = training.settings
    return CARD.format(
        name=settings.name,
        base=base_title(training.base),
        version=version("napari-sam2"),
        date=_today(),
        was=training.before,
        now=training.after,
        movies="\n".join(_line(movie) for movie in movies),
        steps=training.steps,
        minutes=training.seconds / 60,
        seed=settings.seed,
        rate=settings.learning_rate,
        learns=LEARNS[settings.learns],
        rehearsal=settings.rehearsal,
        blend=training.blend,
        sha256=training.sha256,
    )


def base_title(base: str) -> str:
    """Return what people call a base: its name, or that of its file."""
    path = Path(base)
    is_file = path.suffix in (*PICKLE_SUFFIXES, SAFETENSORS_SUFFIX)
    return path.stem if is_file else base


def _line(movie: TaughtMovie) -> str:
    train, held_out = parted(movie)
    ids = ", ".join(map(str, sorted(movie.trusted)))
    return (
        f"- {movie.name}: masklets {ids}; {train.object_frames} masks on "
        f"{len(train.frames)} frames trained on, {held_out.object_frames} masks on "
        f"{len(held_out.frames)} frames held out"
    )


def _today() -> str:
    return datetime.now(UTC).date().isoformat()

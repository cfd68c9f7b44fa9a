"""``train`` and ``train-split``: a model from a recipe, and what is kept from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

from napari_sam2.commands.options import path_argument, path_option
from napari_sam2.commands.progress import ShownProgress, listening_to_signals
from napari_sam2.errors import InputError, OutputError
from napari_sam2.paths import refuse_taken

if TYPE_CHECKING:
    from napari_sam2.train.trainer.trainer import TrainingProgress


def train(
    config: Annotated[Path, path_argument("Recipe, a .toml file.")],
    out: Annotated[
        Path, path_option("Folder for checkpoints, logs and the weights.")
    ] = Path("runs"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint.")
    ] = False,
) -> None:
    """Train a model as a recipe says; after Ctrl-C it goes on with --resume."""
    from napari_sam2.train.trainer.recorder import has_tensorboard
    from napari_sam2.train.trainer.run import run_training
    from napari_sam2.train.trainer.trainer import TrainingStopped

    if not has_tensorboard():
        typer.echo("TensorBoard is off: package tensorboard is not installed", err=True)
    try:
        with (
            listening_to_signals() as stopping,
            training_progress(stopping) as on_progress,
        ):
            run_training(config, folder=out, resume=resume, on_progress=on_progress)
    except TrainingStopped as stopped:
        typer.echo(f"napari-sam2: {stopped}; go on with --resume", err=True)
        raise typer.Exit(stopping.exit_code) from stopped
    typer.echo(str(out))


def train_split(
    folder: Annotated[Path, path_argument("Holds images/ and masks/.")],
    out: Annotated[Path, path_option("List of the images held out.")],
    share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Largest part held out.")
    ] = 0.12,
    seed: Annotated[int, typer.Option(help="Of the clusters' order.")] = 0,
    clusters: Annotated[
        Path | None, path_option("Table of all images and their clusters.")
    ] = None,
) -> None:
    """Choose images for validation so that none resembles one that is trained on."""
    from napari_sam2.io.training.images import read_folder
    from napari_sam2.train.data.appearance_split import split_by_appearance

    for path in (out, clusters):
        if path is not None:
            refuse_taken(path, "give another name, or remove it")
    if clusters == out:
        raise InputError(f"--clusters {clusters}: is --out, too: give two names")
    split = split_by_appearance(read_folder(folder), share, seed)
    _write(out, "\n".join(split.held_out) + "\n")
    if clusters is not None:
        _write(clusters, split.table())
    groups = len(set(split.clusters.tolist()))
    typer.echo(
        f"{len(split.held_out)} of {len(split.names)} images held out, "
        f"{groups} clusters in all"
    )


@contextmanager
def training_progress(
    is_stopping: Callable[[], bool],
) -> Iterator[Callable[[TrainingProgress], bool]]:
    """Show steps, loss and the time left; yields the function that is told of each.

    It answers whether somebody asked to end.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}"),
        TextColumn("{task.fields[left]}"),
    )
    with ShownProgress(*columns) as progress:
        task = progress.add_task("reading", total=None, loss="", left="")

        def on_progress(done: TrainingProgress) -> bool:
            progress.update(
                task,
                completed=done.step,
                total=done.total,
                description=done.stage,
                loss=f"loss {done.values['loss']:.3f}",
                left=time_left(done.seconds_left) if done.step < done.total else "",
            )
            return is_stopping()

        yield on_progress


def time_left(seconds: float) -> str:
    """Return words for a time that is only an estimate: two numbers at most."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"about {max(1, round(seconds))} s left"
    if minutes < 120:
        return f"about {minutes} min left"
    hours = round(minutes / 60)
    if hours < 48:
        return f"about {minutes // 60} h {minutes % 60} min left"
    return f"about {hours // 24} d {hours % 24} h left"


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error

"""``train`` and ``train-split``: a model from a recipe, and what is kept from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_sam2.errors import OutputError


def train(
    config: Annotated[Path, typer.Argument(help="Recipe, a .toml file.")],
    out: Annotated[
        Path, typer.Option(help="Folder for checkpoints, logs and the weights.")
    ] = Path("runs"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint.")
    ] = False,
) -> None:
    """Train a model as a recipe says."""
    from napari_sam2.commands.progress import training_progress
    from napari_sam2.train.run import run_training

    with training_progress() as on_progress:
        run_training(config, folder=out, resume=resume, on_progress=on_progress)
    typer.echo(str(out))


def train_split(
    folder: Annotated[Path, typer.Argument(help="Holds images/ and masks/.")],
    out: Annotated[Path, typer.Option(help="List of the images held out.")],
    share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Largest part held out.")
    ] = 0.12,
    seed: Annotated[int, typer.Option(help="Of the clusters' order.")] = 0,
    clusters: Annotated[
        Path | None, typer.Option(help="Table of all images and their clusters.")
    ] = None,
) -> None:
    """Choose images for validation so that none resembles one that is trained on."""
    from napari_sam2.io.training_images import read_folder
    from napari_sam2.train.appearance_split import split_by_appearance

    split = split_by_appearance(read_folder(folder), share, seed)
    _write(out, "\n".join(split.held_out) + "\n")
    if clusters is not None:
        _write(clusters, split.table())
    groups = len(set(split.clusters.tolist()))
    typer.echo(
        f"{len(split.held_out)} of {len(split.names)} images held out, "
        f"{groups} clusters in all"
    )


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error

"""The command line: options in, exit codes out; the work is done elsewhere.

Commands import what they need when they run, so that ``--help`` is quick and does not
load torch. Progress goes to stderr, results to stdout.

Exit codes: 0 done, 2 input, 3 output, 4 model, 130 cancelled (by typer, or by `follow`
once the frame in hand is committed).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from napari_sam2 import __version__
from napari_sam2.commands import models, movies
from napari_sam2.commands.track import track
from napari_sam2.errors import NapariSam2Error

app = typer.Typer(
    name="napari-sam2",
    help="Track clicked cells through movies and stacks with SAM 2.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(models.app, name="models")
app.command()(track)
app.command()(movies.simulate)
app.command()(movies.evaluate)
app.command()(movies.demo)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"napari-sam2 {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Print the version.",
        ),
    ] = False,
) -> None:
    """Track clicked cells through movies and stacks with SAM 2."""


@app.command()
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


def main() -> None:
    """Run the command line; errors that a person can mend become one line."""
    try:
        app()
    except NapariSam2Error as error:
        typer.echo(f"napari-sam2: {error}", err=True)
        sys.exit(error.exit_code)

"""The command line: options in, exit codes out; the work is done elsewhere.

Commands import what they need when they run, so that ``--help`` is quick and does not
load torch. Progress goes to stderr, results to stdout.

Exit codes: 0 done, 2 input, 3 output, 4 model; 130 after Ctrl-C, 143 after SIGTERM, 128
and the number of other signals, once the frame in hand is committed.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from napari_sam2 import __version__
from napari_sam2.commands import models, movies, train
from napari_sam2.commands.batch.commands import plan, run
from napari_sam2.commands.border import (
    ending_in_one_line,
    keep_libraries_quiet,
    show_anything_on,
)
from napari_sam2.commands.export import export
from napari_sam2.commands.fine_tune import fine_tune
from napari_sam2.commands.importing import import_results
from napari_sam2.commands.masks import masks
from napari_sam2.commands.quality.benchmark import benchmark
from napari_sam2.commands.quality.self_check import self_check
from napari_sam2.commands.track import track
from napari_sam2.commands.verify import verify

app = typer.Typer(
    name="napari-sam2",
    help="Track clicked cells through movies and stacks with SAM 2.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(models.app, name="models")
app.command()(track)
app.command()(masks)
app.command()(plan)
app.command()(run)
app.command()(movies.simulate)
app.command()(movies.evaluate)
app.command()(benchmark)
app.command()(self_check)
app.command()(export)
app.command()(verify)
app.command("import")(import_results)
app.command()(movies.demo)
app.command()(train.train)
app.command()(train.train_split)
app.command()(fine_tune)


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


def main() -> None:
    """Run the command line; whatever goes wrong becomes one line and an exit code."""
    show_anything_on(sys.stdout)
    keep_libraries_quiet()
    with ending_in_one_line("--json" in sys.argv):
        # Not standalone: what is wrong with options is one line like all else.
        code = app(standalone_mode=False, prog_name=app.info.name)
        sys.exit(code if isinstance(code, int) else 0)

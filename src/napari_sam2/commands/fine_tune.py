"""``fine-tune``: a model of one's own, from masklets that are right."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, TaskProgressColumn, TextColumn

from napari_sam2.commands.options import path_argument, path_option
from napari_sam2.commands.progress import ShownProgress, listening_to_signals
from napari_sam2.commands.train import time_left
from napari_sam2.generators import WithResult
from napari_sam2.model.checkpoints.registry import DEFAULT_MODEL

if TYPE_CHECKING:
    from napari_sam2.train.fine_tuning.fine_tune import FineTuneProgress, FineTuneResult


def fine_tune(  # noqa: PLR0913 - each is an option
    session: Annotated[Path, path_argument("OME-Zarr with masklets.")],
    name: Annotated[str, typer.Option(help="What the new model is called.")],
    base: Annotated[
        str, typer.Option(help="Name or file of the model to start from.")
    ] = DEFAULT_MODEL,
    minutes: Annotated[float, typer.Option(help="All the time it may take.")] = 5.0,
    steps: Annotated[
        int, typer.Option(min=0, help="A number of steps instead of minutes.")
    ] = 0,
    objects: Annotated[
        str | None,
        typer.Option(help="Ids such as 1,2,7; by default all locked or reviewed ones."),
    ] = None,
    image: Annotated[
        Path | None, path_option("The movie, if the session does not find it.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of crops and prompts.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Adapt a model to masklets that were locked, reviewed or chosen.

    Ctrl-C ends it early; the best so far is kept if it is better than the base.
    """
    from napari_sam2.commands.options import parse_ids
    from napari_sam2.io.training.vouched import MaskletSession, read_vouched
    from napari_sam2.train.fine_tuning.fine_tune import fine_tune as tuning
    from napari_sam2.train.fine_tuning.movie import TaughtMovie
    from napari_sam2.train.fine_tuning.plan import LARGEST_SIDE, FineTuneSettings

    chosen = MaskletSession(session, parse_ids(objects), image=image)
    movie = TaughtMovie(*read_vouched(chosen, max_side=LARGEST_SIDE))
    settings = FineTuneSettings(name, minutes, steps, seed, device)
    with listening_to_signals() as is_stopped:
        result = _follow(tuning(base, [movie], settings, is_stopped=is_stopped))
    typer.echo(result.sentence, err=True)
    if result.path is not None:
        typer.echo(str(result.path))


def _follow(
    progress: Generator[FineTuneProgress, None, FineTuneResult],
) -> FineTuneResult:
    """Show progress to the end; return the result."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[score]}"),
        TextColumn("{task.fields[left]}"),
    )
    with ShownProgress(*columns) as bar:
        task = bar.add_task("Fine-tuning", total=1.0, score="", left="")
        steps = WithResult(progress)
        for now in steps:
            left = now.seconds_left
            bar.update(
                task,
                completed=now.done,
                description=now.doing,
                left="" if left is None else time_left(left),
            )
            if now.held_out is not None:
                bar.update(task, score=f"held-out J {now.held_out:.3f}")
        bar.update(task, completed=1.0, description="Done", left="")
        return steps.result

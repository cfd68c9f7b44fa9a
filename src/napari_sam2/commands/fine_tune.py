"""``fine-tune``: a model of one's own, from masklets that are right."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam2.model.registry import DEFAULT_MODEL

if TYPE_CHECKING:
    from napari_sam2.train.fine_tuning import FineTuneResult
    from napari_sam2.train.fine_tuning_clock import FineTuneProgress


def fine_tune(  # noqa: PLR0913 - each is an option
    session: Annotated[Path, typer.Argument(help="OME-Zarr with masklets.")],
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
        Path | None, typer.Option(help="The movie, if the session does not find it.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of crops and prompts.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Adapt a model to masklets that were locked, reviewed or chosen."""
    from napari_sam2.commands.options import parse_ids
    from napari_sam2.io.session_masklets import MaskletSession, read_vouched
    from napari_sam2.train.fine_tuning import fine_tune as tuning
    from napari_sam2.train.fine_tuning_movie import TaughtMovie
    from napari_sam2.train.fine_tuning_plan import LARGEST_SIDE, FineTuneSettings

    chosen = MaskletSession(session, parse_ids(objects), image=image)
    movie = TaughtMovie.of(read_vouched(chosen, max_side=LARGEST_SIDE))
    settings = FineTuneSettings(name, minutes, steps, seed, device)
    result = _follow(tuning(base, [movie], settings))
    typer.echo(result.sentence, err=True)
    if result.path is not None:
        typer.echo(str(result.path))


def _follow(
    progress: Generator[FineTuneProgress, None, FineTuneResult],
) -> FineTuneResult:
    """Show progress to the end; return the result."""
    stderr = typer.get_text_stream("stderr")
    with typer.progressbar(length=100, label="fine-tuning", file=stderr) as bar:
        shown = 0
        while True:
            try:
                now = next(progress)
            except StopIteration as end:
                result: FineTuneResult = end.value
                return result
            bar.update(round(100 * now.done) - shown)
            shown = round(100 * now.done)

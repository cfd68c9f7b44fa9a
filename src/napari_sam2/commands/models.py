"""`napari-sam2 models`: what can be used, what is here, and fetching it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from napari_sam2.commands.options import path_argument
from napari_sam2.commands.progress import download_progress

if TYPE_CHECKING:
    from napari_sam2.model.checkpoints.own_models import OwnModel

app = typer.Typer(help="List, download and verify models.", no_args_is_help=True)

TRUST = {
    "registry": "is the published file",
    "person": "is the file whose hash was accepted by hand",
    "package": "is bundled with this installation",
}

Name = Annotated[str, typer.Argument(help="A published model of `models list`.")]


@app.command(name="list")
def list_models() -> None:
    """List the models that can be named, and whether they are on this machine.

    Your own come last; then weights of others that `models add --like` takes over, and
    what was shown to equal their public code.
    """
    from napari_sam2.model.checkpoints.download import model_path
    from napari_sam2.model.checkpoints.families import FAMILIES
    from napari_sam2.model.checkpoints.own_models import own_models
    from napari_sam2.model.checkpoints.registry import REGISTRY
    from napari_sam2.model.checkpoints.weights_file import published_config

    table = _table("model", "size", "input", "licence", "on this machine")
    for entry in REGISTRY.values():
        path = model_path(entry.name)
        size = "" if entry.bytes is None else _megabytes(entry.bytes)
        where = "bundled" if entry.is_bundled else str(path) if path.exists() else "–"
        side = str(published_config(entry.name).image_size)
        table.add_row(entry.name, size, side, entry.licence, where)
    table.add_section()
    for own in own_models():
        table.add_row(*_own_row(own))
    others = _table("--like", "layout", "input", "licence", "files", "shown equal")
    for family in FAMILIES.values():
        fit = "padded" if family.frame_fit == "pad" else "squashed"
        side = f"{family.image_size}, {fit}"
        facts = (family.licence, family.published, family.shown_equal)
        others.add_row(family.name, family.layout, side, *facts)
    Console().print(table, others)


@app.command()
def download(
    name: Name,
    accept_hash: Annotated[
        str | None, typer.Option(help="SHA-256 to accept where ours is not confirmed.")
    ] = None,
) -> None:
    """Download a model into the cache folder (NAPARI_SAM2_CACHE) and verify it."""
    from napari_sam2.model.checkpoints.download import download as fetch

    with download_progress(name) as on_bytes:
        path = fetch(name, progress=on_bytes, accept_hash=accept_hash)
    typer.echo(str(path))


@app.command()
def add(
    file: Annotated[Path, path_argument("A .pt, .pth or .safetensors file.", "FILE")],
    name: Annotated[str, typer.Option(help="What the new model is called.")],
    like: Annotated[str, typer.Option(help="Its family, of `models list`.")] = "",
    image_size: Annotated[
        int | None, typer.Option(help="Side of the input it was trained for, pixels.")
    ] = None,
    licence: Annotated[str, typer.Option(help="Of the weights, for the list.")] = "",
) -> None:
    """Add weights from elsewhere to your own models, with the input they want."""
    from napari_sam2.model.checkpoints.adding import AddedWeights, add_model

    typer.echo(str(add_model(AddedWeights(file, name, like, image_size, licence))))


@app.command()
def verify(name: Name) -> None:
    """Check a downloaded model against its registered SHA-256."""
    from napari_sam2.model.checkpoints.download import verify as check

    found = check(name)
    typer.echo(f"{found.path}: {TRUST[found.trusted_by]}")


def _table(name: str, *facts: str) -> Table:
    """Return a table whose names stand there whole, in a narrow window, too."""
    folded = (Column(fact, overflow="fold") for fact in facts)
    return Table(Column(name, no_wrap=True), *folded)


def _own_row(model: OwnModel) -> tuple[str, str, str, str, str]:
    size = _megabytes(model.path.stat().st_size) if model.path.is_file() else ""
    licence = model.licence or (f"as {model.base}" if model.base else "–")
    side = f"{model.image_size or ''}"
    return escape(model.name), size, side, escape(licence), escape(_where(model))


def _where(model: OwnModel) -> str:
    """Return file and card in short; of a broken file the card says which it is."""
    path = str(model.path)
    return model.summary if path in model.summary else f"{path}\n{model.summary}"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB"

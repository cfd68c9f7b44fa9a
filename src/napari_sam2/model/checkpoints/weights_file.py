"""The file that a model's name or path stands for. Needs no torch."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from napari_sam2.errors import ModelError
from napari_sam2.model.checkpoints.download import (
    ProgressCallback,
    download,
    file_sha256,
    model_path,
)
from napari_sam2.model.checkpoints.notes import (
    CONFIG_NOTE,
    FRAME_FIT_NOTE,
    ONE_COMPONENT_NOTE,
    PADDED,
    YES,
    noted_image_size,
    read_notes,
)
from napari_sam2.model.checkpoints.own_models import own_folder
from napari_sam2.model.checkpoints.registry import REGISTRY, find
from napari_sam2.model.config import CONFIGS, Sam2Config

PICKLE_SUFFIXES = (".pt", ".pth")
SAFETENSORS_SUFFIX = ".safetensors"


def weights_path(
    name_or_path: str | Path, *, progress: ProgressCallback | None = None
) -> Path:
    """Return the file that a model's name or path stands for.

    Parameters
    ----------
    name_or_path
        The path of a ``.pt``, ``.pth`` or ``.safetensors`` file, the name of an own
        model, or a name of the registry, whose file is fetched if it is not on this
        machine yet.
    progress
        Told of a download's progress, in bytes.

    Raises
    ------
    ModelError
        If no model and no file is called so, or fetching it fails.
    """
    own = own_path(name_or_path)
    return own or download(find(str(name_or_path)).name, progress=progress)


def path_at_hand(name_or_path: str) -> Path | None:
    """Return what `weights_path` does, but fetch nothing; None if it is not here.

    Raises
    ------
    ModelError
        If no model and no file is called so.
    """
    path = own_path(name_or_path) or model_path(find(name_or_path).name)
    return path if path.is_file() else None


def own_path(name_or_path: str | Path) -> Path | None:
    """Return the file of a path or an own model; None for a name of the registry.

    Raises
    ------
    ModelError
        If it is a path where no weights lie.
    """
    path = Path(name_or_path).expanduser()
    is_file_name = path.suffix in (*PICKLE_SUFFIXES, SAFETENSORS_SUFFIX)
    if path.is_file():
        if is_file_name:
            return path
        raise ModelError(f"{path}: give a .pt, .pth or .safetensors file")
    if is_file_name and len(path.parts) > 1:
        raise ModelError(f"{path}: there is no such file; check the path")
    own = own_folder() / f"{name_or_path}{SAFETENSORS_SUFFIX}"
    return own if len(path.parts) == 1 and own.is_file() else None


def weights_sha256(name_or_path: str | Path) -> str:
    """Return the SHA-256 of a model's file, see `weights_path`, for provenance."""
    return file_sha256(weights_path(name_or_path))


def follows_one_component(name_or_path: str | Path) -> bool:
    """Return whether a model was trained to follow one component of each object.

    Raises
    ------
    ModelError
        See `weights_path`.
    """
    return read_notes(weights_path(name_or_path)).get(ONE_COMPONENT_NOTE) == YES


def pads_frames(name_or_path: str) -> bool:
    """Return whether a model is shown frames that are filled up to a square.

    Raises
    ------
    ModelError
        See `weights_path`.
    """
    return read_notes(weights_path(name_or_path)).get(FRAME_FIT_NOTE) == PADDED


def trained_image_size(name_or_path: str) -> int | None:
    """Return the side of the input that a model was trained for, if its file says so.

    Raises
    ------
    ModelError
        See `weights_path`.
    """
    noted = noted_image_size(read_notes(weights_path(name_or_path)))
    if noted is not None:
        return noted
    return CONFIGS[name_or_path].image_size if name_or_path in REGISTRY else None


@cache
def published_config(name: str) -> Sam2Config:
    """Return the network of a published model, with the input that it is shown.

    The bundled model's file says which; the others are shown what official SAM 2 is.
    Nothing is fetched.
    """
    notes = read_notes(model_path(name)) if REGISTRY[name].is_bundled else {}
    noted, config = noted_image_size(notes), CONFIGS[notes.get(CONFIG_NOTE, name)]
    return config if noted is None else replace(config, image_size=noted)

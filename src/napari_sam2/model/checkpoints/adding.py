"""A file of weights from elsewhere becomes one of the own models, with its input."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from napari_sam2.errors import InputError, ModelError, OutputError
from napari_sam2.model.checkpoints.checkpoint import load_model, save_model
from napari_sam2.model.checkpoints.families import Family, find_family
from napari_sam2.model.checkpoints.own_models import (
    ADDED_NOTE,
    BASE_NOTE,
    LICENCE_NOTE,
    own_model_path,
)
from napari_sam2.model.checkpoints.weights_file import own_path


@dataclass(frozen=True, slots=True)
class AddedWeights:
    """What is said of a file that is added.

    Attributes
    ----------
    file
        A ``.pt``, ``.pth`` or ``.safetensors`` file in a layout that is known here.
    like
        Name of its `Family`; empty if it is of none.
    image_size
        Side in pixels of its input; None for that of the family, else of the layout.
    licence
        Of the weights, in words.
    """

    file: Path
    name: str
    like: str = ""
    image_size: int | None = None
    licence: str = ""

    @property
    def family(self) -> Family | None:
        """Its family, if one was said."""
        return find_family(self.like) if self.like else None


def add_model(added: AddedWeights) -> Path:
    """Write a file's weights, with the input they were trained for, as an own model.

    Raises
    ------
    InputError
        If the name cannot be had or is taken, or the input is no multiple of 32.
    ModelError
        If the file is missing, broken, of no layout that is known, or of another one
        than its family's.
    OutputError
        If the folder of own models cannot be written.
    """
    path, family = own_model_path(added.name), added.family
    if path.exists():
        raise InputError(f"there is a model called {added.name}: choose another name")
    size = added.image_size or (family.image_size if family else None)
    if own_path(added.file) is None:
        raise ModelError(f"{added.file}: there is no such file; check the path")
    model = load_model(added.file, meant=family.layout if family else "")
    layout = model.config.name
    if family is not None and layout != family.layout:
        raise ModelError(
            f"{added.file} is a {layout}, and {family.name} a {family.layout}: leave "
            "--like out, and say the input with --image-size"
        )
    model.config = replace(
        model.config,
        image_size=size or model.config.image_size,
        frame_fit=family.frame_fit if family else model.config.frame_fit,
    )
    step = model.config.size_step
    if size is not None and (size < step or size % step):
        raise InputError(f"image size {size}: give a multiple of {step}")
    licence = added.licence or (family.licence if family else "")
    notes = {BASE_NOTE: family.name if family else layout, ADDED_NOTE: added.file.name}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    save_model(model, path, notes=notes | ({LICENCE_NOTE: licence} if licence else {}))
    return path

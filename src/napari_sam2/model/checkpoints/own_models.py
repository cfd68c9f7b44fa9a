"""The models that a person made here by fine-tuning, or added: one folder.

Beside each that was made here lies a card.

They lie in the folder ``own`` of the cache. Nothing here needs torch; only the head of
a file is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_sam2.errors import InputError, ModelError
from napari_sam2.model.checkpoints.download import cache_folder
from napari_sam2.model.checkpoints.notes import (
    FRAME_FIT_NOTE,
    IMAGE_SIZE_NOTE,
    PADDED,
    noted_image_size,
    read_notes,
)
from napari_sam2.model.checkpoints.registry import REGISTRY

FOLDER = "own"
SUFFIX, CARD_SUFFIX = ".safetensors", ".md"

BASE_NOTE = "base"
BASE_SHA256_NOTE = "base_sha256"
BEFORE_NOTE, AFTER_NOTE = "held_out_before", "held_out_after"
DATE_NOTE = "date"
ADDED_NOTE, LICENCE_NOTE = "added_from", "licence"
"""Keys of a file's metadata that say where an own model comes from."""

LONGEST_NAME = 60
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class OwnModel:
    """A fine-tuned model of this user.

    Attributes
    ----------
    name
        What the person called it.
    path
        Its file, which goes wherever a model is asked for.
    base
        Name of the model that it was made from; empty if unknown.
    summary
        Its card in one line.
    licence
        Of its weights, where somebody said; else it is that of its base.
    image_size
        Side of its input in pixels, where the file says so.
    """

    name: str
    path: Path
    base: str
    summary: str
    licence: str = ""
    image_size: int | None = None

    @property
    def card(self) -> str:
        """The card that was written with it; the summary if it is gone."""
        try:
            return self.path.with_suffix(CARD_SUFFIX).read_text(encoding="utf-8")
        except OSError:
            return self.summary


def own_folder() -> Path:
    """Return the folder of own models; it need not exist."""
    return cache_folder() / FOLDER


def own_models() -> list[OwnModel]:
    """Return all own models by name; a file that is broken says so in its summary."""
    found = sorted(own_folder().glob(f"*{SUFFIX}"), key=lambda path: path.stem.lower())
    return [_described(path) for path in found]


def own_model_path(name: str) -> Path:
    """Return where an own model of this name lies, or would lie.

    Raises
    ------
    InputError
        If no model can be called so: letters, digits, ``.``, ``_``, ``-`` are allowed,
        the names of published models are not.
    """
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME or name.endswith("."):
        raise InputError(
            f"model name {name!r}: use letters, digits, '-' and '_', such as my-cells"
        )
    files = [entry.file for entry in REGISTRY.values()]
    published = {*REGISTRY, *files, *(Path(file).stem for file in files)}
    if name.lower() in map(str.lower, published):
        raise InputError(
            f"model name {name!r} is that of a published model: choose another"
        )
    return own_folder() / f"{name}{SUFFIX}"


def free_name(wanted: str) -> str:
    """Return a name that no own model has: the wanted one, or with a number."""
    name, number = wanted, 2
    while own_model_path(name).exists():
        name, number = f"{wanted}-{number}", number + 1
    return name


def _described(path: Path) -> OwnModel:
    try:
        notes = read_notes(path)
    except ModelError as error:
        return OwnModel(path.stem, path, "", str(error))
    base, licence = notes.get(BASE_NOTE, ""), notes.get(LICENCE_NOTE, "")
    side = noted_image_size(notes)
    return OwnModel(path.stem, path, base, _summary(notes), licence, side)


def _summary(notes: Mapping[str, str]) -> str:
    if ADDED_NOTE in notes:
        side = notes.get(IMAGE_SIZE_NOTE, "?")
        base = notes.get(BASE_NOTE, "an unknown model")
        how = ", frames padded" if notes.get(FRAME_FIT_NOTE) == PADDED else ""
        return f"{base}, added from {notes[ADDED_NOTE]}: input of {side} pixels{how}."
    text = f"Fine-tuned from {notes.get(BASE_NOTE, 'an unknown model')}"
    if DATE_NOTE in notes:
        text += f" on {notes[DATE_NOTE]}"
    if BEFORE_NOTE in notes and AFTER_NOTE in notes:
        before, after = notes[BEFORE_NOTE], notes[AFTER_NOTE]
        text += f": J on held-out frames {before} → {after}"
    return f"{text}."

"""What a checkpoint says of itself besides its weights. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open

from napari_sam2.errors import ModelError

CONFIG_NOTE, IMAGE_SIZE_NOTE = "config", "image_size"
"""Keys of what says which network the file holds."""

FRAME_FIT_NOTE, PADDED = "frame_fit", "pad"
"""Files without the note are shown squashed frames, as official SAM 2 is."""

ONE_COMPONENT_NOTE, YES = "one_component", "yes"
"""Files from before the rule lack the note: they are followed as they were."""

TRUST_NOTE = "trust"
"""Key of the fitted `napari_sam2.session.scores.trust_model.TrustModel`, as JSON."""


def read_notes(path: Path) -> dict[str, str]:
    """Return the metadata of a checkpoint file; of a ``.pt`` there is none.

    Raises
    ------
    ModelError
        If the file is missing or broken.
    """
    if path.suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, framework="np") as file:
            return dict(file.metadata() or {})
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    except SafetensorError as error:
        raise ModelError(f"{path} is broken ({error}): get it again") from error


def noted_image_size(notes: Mapping[str, str]) -> int | None:
    """Return the side of the input that weights were trained for, if they say so."""
    side = notes.get(IMAGE_SIZE_NOTE, "")
    return int(side) if side.isdecimal() else None

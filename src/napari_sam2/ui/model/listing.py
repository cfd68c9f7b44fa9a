"""Which models there are: those of SAM 2, and one's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from napari_sam2.model.checkpoints.own_models import OwnModel, free_name, own_models

USUAL_NAME = "my-cells"


@dataclass(frozen=True, slots=True)
class ModelsListed:
    """Own models, and a name that a new one could have."""

    models: tuple[OwnModel, ...]
    free_name: str


def list_models() -> Iterator[ModelsListed]:
    """Look for own models."""
    yield ModelsListed(tuple(own_models()), free_name(USUAL_NAME))

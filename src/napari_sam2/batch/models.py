"""The network, loaded once a process however many movies it tracks."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam2.model.checkpoints.download import stamp_of
from napari_sam2.model.checkpoints.weights_file import weights_path

if TYPE_CHECKING:
    from napari_sam2.model.sam2 import Sam2


def loaded_model(name_or_path: str) -> Sam2:
    """Return the network of a name or a file; it is loaded again only if that changed.

    Predictors share it and leave it as it is.

    Raises
    ------
    ModelError
        If there is none, or it is broken.
    """
    path = weights_path(name_or_path)
    return _loaded(path, stamp_of(path))


@lru_cache(maxsize=1)
def _loaded(path: Path, stamp: tuple[int, int, int]) -> Sam2:
    from napari_sam2.model.checkpoints.checkpoint import load_model

    return load_model(path)

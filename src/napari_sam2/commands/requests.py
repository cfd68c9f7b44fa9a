"""From what a command was given to the requests of `napari_sam2.batch`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_sam2.commands.options import (
    parse_channels,
    parse_limits,
    parse_memory,
    parse_percentiles,
    parse_threads,
    parse_tiles,
)

if TYPE_CHECKING:
    from napari_sam2.batch.job import FrameOptions
    from napari_sam2.batch.models import ModelOptions

PARSERS = {
    "channels": parse_channels,
    "contrast_limits": parse_limits,
    "percentiles": parse_percentiles,
}
"""Options that people type in a form of their own."""


def frame_options(given: Mapping[str, Any]) -> FrameOptions:
    """Return how the movie is read, of all arguments of a command by name.

    Raises
    ------
    InputError
        If one of them cannot be read.
    """
    from napari_sam2.batch.job import FrameOptions

    options: dict[str, Any] = {
        name: PARSERS[name](given[name]) if name in PARSERS else given[name]
        for name in FrameOptions.model_fields
        if name in given
    }
    return FrameOptions(**options)


def model_options(given: Mapping[str, Any]) -> ModelOptions:
    """Return what computes and how, of all arguments of a command by name.

    Raises
    ------
    InputError
        If one of them cannot be read.
    """
    from napari_sam2.batch.models import ModelOptions

    fields = ModelOptions.model_fields.keys() & given.keys()
    options = {name: given[name] for name in fields}
    read = {
        "tiles": parse_tiles(given.get("tiles")),
        "threads": parse_threads(given.get("threads")),
        "memory_bytes": parse_memory(given.get("memory")),
        "hard_cases": tuple(given.get("hard_cases") or ()),
    }
    return ModelOptions(**options | read)

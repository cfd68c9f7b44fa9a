"""Track clicked cells through movies with SAM 2, in napari and without it.

The names of `napari_sam2.api` are found here, too; each is loaded when it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_sam2.api import (
        BatchPlan,
        BatchReport,
        BoxPrompt,
        FrameOptions,
        FramePrompt,
        MaskletMovie,
        MaskPrompt,
        ModelOptions,
        MovieScore,
        PointPrompt,
        PromptedObject,
        SelfCheck,
        StackFrames,
        TrackReport,
        evaluate,
        open_movie,
        plan_like,
        read_masklets,
        read_plan,
        read_prompts,
        run,
        self_check,
        track,
        track_stack,
        write_prompts,
    )

__version__ = "0.2.0.dev0"

__all__ = [
    "BatchPlan",
    "BatchReport",
    "BoxPrompt",
    "FrameOptions",
    "FramePrompt",
    "MaskPrompt",
    "MaskletMovie",
    "ModelOptions",
    "MovieScore",
    "PointPrompt",
    "PromptedObject",
    "SelfCheck",
    "StackFrames",
    "TrackReport",
    "evaluate",
    "open_movie",
    "plan_like",
    "read_masklets",
    "read_plan",
    "read_prompts",
    "run",
    "self_check",
    "track",
    "track_stack",
    "write_prompts",
]


def __getattr__(name: str) -> Any:
    """Load a name of the public API when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("napari_sam2.api"), name)


def __dir__() -> list[str]:
    """Return the names of the public API, also those not loaded yet."""
    return sorted({*globals(), *__all__})

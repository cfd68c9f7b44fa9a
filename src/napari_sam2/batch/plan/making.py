"""A plan made of what is there: movies, and a session of the window to take after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_sam2.batch.job import FrameOptions
from napari_sam2.batch.models import ModelOptions
from napari_sam2.batch.plan.plan import BatchPlan
from napari_sam2.batch.prompting.policies import SessionPrompts
from napari_sam2.batch.threads import thread_count
from napari_sam2.errors import InputError
from napari_sam2.io.label_store.store import DEFAULT_NAME, OmeZarrLabelStore
from napari_sam2.io.sessions.document import InputMapping, SavedChannel
from napari_sam2.io.sessions.provenance import Provenance
from napari_sam2.tracking.hard_cases.names import chosen_cases

COLORS = ("red", "green", "blue")
GREY = ("grey",)


def plan_like(
    session: Path, movies: tuple[str, ...], *, name: str = DEFAULT_NAME, **changes: Any
) -> BatchPlan:
    """Return a plan that does to movies what a session of the window did to its own.

    Model, device, precision, threads, what the model sees of a movie, and the prompts
    are the session's. In its own movie this gives its very bytes.

    Parameters
    ----------
    session, name
        OME-Zarr and label group.
    movies
        Paths and patterns.
    **changes
        Fields of the plan that are to be others.

    Raises
    ------
    InputError
        If there is no session, or what it saw cannot be had from files.
    """
    if not OmeZarrLabelStore.is_ours(session, name):
        raise InputError(f"{session}: holds no session named {name!r} to take after")
    store = OmeZarrLabelStore.open(session, name, mode="r")
    if store.layout.region is not None:
        raise InputError(
            f"{session}: only a region of its movie was looked at, and plans look at "
            "whole frames: plan like a session without a region, or crop the movies"
        )
    made_by = store.provenance
    image = store.read_session().image
    fields: dict[str, Any] = {
        "movies": movies,
        "prompts": SessionPrompts(path=session.absolute(), name=name),
        "name": name,
        "model_options": _model(made_by),
        "frame_options": _frames(image, session),
        "direction": made_by.settings.get("direction", "both"),
    }
    return BatchPlan.model_validate(fields | changes)


def pinned(options: ModelOptions) -> ModelOptions:
    """Return the options with what ``auto`` chooses on this machine written down.

    Raises
    ------
    InputError
        If this machine has no such device, or there is no such precision.
    """
    choices = (options.device, options.precision, options.threads)
    if "auto" not in choices and options.threads:
        return options
    from napari_sam2.tracking.precision import choose_device, choose_precision

    device = choose_device(options.device)
    return options.model_copy(
        update={
            "device": str(device),
            "precision": choose_precision(options.precision, device).name,
            "threads": thread_count(options.threads, options.model),
        }
    )


def _model(made_by: Provenance) -> ModelOptions:
    tracker = made_by.tracker
    return ModelOptions(
        model=made_by.model,
        image_size=made_by.image_size,
        device=made_by.device,
        precision=made_by.precision,
        threads=made_by.threads,
        memory_bytes=made_by.memory_bytes,
        raw_masks=tracker.raw_masks,
        one_component=tracker.one_component,
        tiles=tracker.tiles,
        hard_cases=chosen_cases(tracker.hard_cases),
    )


def _frames(image: InputMapping, session: Path) -> FrameOptions:
    """Return how a file must be read to look as the session's movie did."""
    channels = _channels(image.seen, session) if image.seen else image.channels
    fixed = {letter: index for letter, index in image.fixed.items() if letter != "C"}
    if not channels and "C" in image.fixed:
        channels = (image.fixed["C"],)
    return FrameOptions(
        axes=image.axes,
        t=fixed.get("T"),
        z=fixed.get("Z"),
        position=fixed.get("P"),
        channels=channels or None,
        mapping=image.intensity,
    )


def _channels(seen: tuple[SavedChannel, ...], session: Path) -> tuple[int, ...]:
    """Return the numbers of the channels that the model saw, red, green, blue.

    Raises
    ------
    InputError
        If they lie in several layers, or are shown as no file is: only green, say.
    """
    colors = tuple(channel.color for channel in seen)
    indices = [channel.index for channel in seen if channel.index is not None]
    is_plain = colors in (GREY, COLORS[: len(colors)])
    are_alike = len({channel.invert for channel in seen}) == 1
    # Layers of channels that were split keep no axis of them: the file's is not known.
    if not is_plain or not are_alike or (len(seen) > 1 and len(indices) < len(seen)):
        raise InputError(
            f"{session}: its model saw {' and '.join(colors)} of "
            f"{' and '.join(channel.layer for channel in seen)}, which no single file "
            "gives: show the channels as one layer, and plan like that session"
        )
    return tuple(indices)

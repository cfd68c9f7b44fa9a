"""Masklets that this plugin wrote, with their movie, read for training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.interfaces import FrameSource
from napari_sam2.io.label_store.store import DEFAULT_NAME, OmeZarrLabelStore
from napari_sam2.io.training.images import LabelledImage
from napari_sam2.io.training.tracked_movie import open_movie, tracked_frames
from napari_sam2.session.book.state import ObjectState
from napari_sam2.session.planning.frame_set import FrameSet

Trust = Literal["all", "locked", "reviewed"]


@dataclass(frozen=True, slots=True)
class MaskletChoice:
    """Which masklets of a store teach.

    Attributes
    ----------
    trust
        ``"all"`` tracked frames, or only those that a person ``"locked"`` or at least
        ``"reviewed"`` (locked ones count as reviewed).
    objects
        Ids; None for all.
    """

    trust: Trust = "all"
    objects: tuple[int, ...] | None = None


def read_masklets(
    path: Path,
    image: Path | None = None,
    *,
    name: str = DEFAULT_NAME,
    choice: MaskletChoice | None = None,
) -> Iterator[LabelledImage]:
    """Read the runs of consecutive frames on which chosen masklets are trusted.

    Masklets that are trusted on the same frames come together, others apart: in every
    image a masklet is trusted on all frames, and where it is not seen it is absent.

    Parameters
    ----------
    path
        OME-Zarr folder with the labels.
    image
        The movie; by default the one that the session names or, if it names none, the
        image of the same OME-Zarr.
    name
        Of the label group.
    choice
        Which objects and frames; by default all.

    Yields
    ------
    LabelledImage
        Named after the store and its frames and, where not all masklets are trusted on
        the same frames, its first object. Masklets that are not trusted are left out,
        so that background may be an object.

    Raises
    ------
    InputError
        If no frame is trusted, or the movie is not found or has another shape.
    OutputError
        If there are no labels of that name.
    """
    choice = choice or MaskletChoice()
    store = OmeZarrLabelStore.open(path, name, "r")
    trusted = _trusted_frames(store, choice)
    alike: dict[FrameSet, list[int]] = {}
    for object_id, frames in trusted.items():
        if frames:
            alike.setdefault(frames, []).append(object_id)
    if not alike:
        trust = "" if choice.trust == "all" else f"{choice.trust} "
        raise InputError(f"{path}/labels/{name}: no {trust}masklet to learn from")
    source = open_movie(store, store.read_session().image, image)
    try:
        for frames, ids in alike.items():
            for first, stop in frames.runs:
                found = _run(source, store, range(first, stop), ids)
                named = "" if len(alike) == 1 else f" of {ids[0]}"
                yield replace(found, name=found.name + named)
    finally:
        source.close()


def _run(
    source: FrameSource, store: OmeZarrLabelStore, frames: range, ids: Sequence[int]
) -> LabelledImage:
    """Read neighbouring frames, and on them some masklets."""
    pixels = np.stack([source.read(frame) for frame in frames])
    labels = np.stack([store.read_labels(frame) for frame in frames])
    kept = np.where(np.isin(labels, ids), labels, 0).astype(np.int32)
    title = f"{Path(store.path).name} {frames[0]}-{frames[-1]}"
    grey = bool((pixels == pixels[..., :1]).all())
    shown = pixels[..., :1] if grey else pixels
    return LabelledImage(title, shown, kept, is_complete=False)


def _trusted_frames(
    store: OmeZarrLabelStore, choice: MaskletChoice
) -> dict[int, FrameSet]:
    """Return object → frames on which its mask is taken as true."""
    book = store.read_session().book
    ids = store.object_ids if choice.objects is None else choice.objects
    tracked = tracked_frames(store)
    trusted = {}
    for object_id in ids:
        frames = tracked.get(object_id, FrameSet())
        if object_id in book:
            frames = frames & _verified(book[object_id], frames, choice.trust)
        elif choice.trust != "all":
            continue
        trusted[object_id] = frames
    return trusted


def _verified(state: ObjectState, tracked: FrameSet, trust: Trust) -> FrameSet:
    """Return the frames on which a person, or tracking, stands for an object."""
    match trust:
        case "locked":
            return state.locked
        case "reviewed":
            return state.locked | state.reviewed
        case _:
            return tracked - state.stale

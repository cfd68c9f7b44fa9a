"""Masklets that this plugin wrote, with their movie, read for training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.frame_sources import StackFrames, open_frames
from napari_sam2.io.ome_zarr_labels import DEFAULT_NAME, OmeZarrLabelStore
from napari_sam2.io.training_images import LabelledImage
from napari_sam2.session.frame_set import FrameSet
from napari_sam2.session.state import ObjectState

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
    """Read the runs of consecutive frames on which a chosen masklet is trusted.

    Parameters
    ----------
    path
        OME-Zarr folder with the labels.
    image
        The movie; by default the image of the same OME-Zarr.
    name
        Of the label group.
    choice
        Which objects and frames; by default all.

    Yields
    ------
    LabelledImage
        Named after the store and its frames. Masklets that are not trusted on a frame
        are left out of it, so that background there may be an object.

    Raises
    ------
    InputError
        If no frame is trusted, or movie and labels differ in shape.
    OutputError
        If there are no labels of that name.
    """
    choice = choice or MaskletChoice()
    store = OmeZarrLabelStore.open(path, name, "r")
    trusted = _trusted_frames(store, choice)
    frames = FrameSet.of(frame for kept in trusted.values() for frame in kept)
    if not frames:
        raise InputError(
            f"{path}/labels/{name}: no {_adjective(choice)}masklet to learn from"
        )
    source = open_frames(image or path)
    try:
        _check_fits(source, store, f"{image or path}")
        for first, stop in frames.runs:
            run = range(first, stop)
            pixels = np.stack([source.read(frame) for frame in run])
            labels = [_kept(store.read_labels(f), f, trusted) for f in run]
            title = f"{Path(path).name} {first}-{stop - 1}"
            grey = bool((pixels == pixels[..., :1]).all())
            shown = pixels[..., :1] if grey else pixels
            yield LabelledImage(title, shown, np.stack(labels), is_complete=False)
    finally:
        source.close()


def _check_fits(source: StackFrames, store: OmeZarrLabelStore, movie: str) -> None:
    if (source.frame_count, source.frame_shape) != (
        store.frame_count,
        store.frame_shape,
    ):
        raise InputError(
            f"{movie}: {source.frame_count} frames of {source.frame_shape}, but "
            f"{store.path}/labels/{store.name} has {store.frame_count} of "
            f"{store.frame_shape}; give the movie that was tracked"
        )


def _trusted_frames(
    store: OmeZarrLabelStore, choice: MaskletChoice
) -> dict[int, FrameSet]:
    """Return object → frames on which its mask is taken as true."""
    ids = store.object_ids if choice.objects is None else choice.objects
    if choice.trust == "all":
        tracked = FrameSet.of(np.flatnonzero(store.whole_frames).tolist())
        return dict.fromkeys(ids, tracked)
    book = store.read_session().book
    return {i: _verified(book[i], choice.trust) for i in ids if i in book}


def _verified(state: ObjectState, trust: Trust) -> FrameSet:
    return state.locked if trust == "locked" else state.locked | state.reviewed


def _kept(labels: np.ndarray, frame: int, trusted: dict[int, FrameSet]) -> np.ndarray:
    ids = [object_id for object_id, frames in trusted.items() if frame in frames]
    return np.where(np.isin(labels, ids), labels, 0).astype(np.int32)


def _adjective(choice: MaskletChoice) -> str:
    return "" if choice.trust == "all" else f"{choice.trust} "

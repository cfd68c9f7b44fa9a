"""What a click or a box makes of what the book says. Pure."""

from __future__ import annotations

from dataclasses import replace

from napari_sam2.engine.movie.axes import Spot
from napari_sam2.prompts import BoxPrompt, FramePrompt, PointPrompt
from napari_sam2.session.book.state import BookState


def with_click(
    book: BookState, object_id: int, spot: Spot, *, is_positive: bool
) -> FramePrompt:
    """Return what is said about an object once there is a click more.

    A mask that was drawn gives way: clicks and masks cannot be said together.
    """
    said = prompt_in(book, object_id, spot.frame_index)
    point = PointPrompt(spot.y, spot.x, is_positive)
    return (
        replace(said, points=(*said.points, point))
        if said
        else _only(object_id, spot.frame_index, points=(point,))
    )


def with_box(
    book: BookState, object_id: int, frame_index: int, box: BoxPrompt
) -> FramePrompt:
    """Return what is said about an object once there is a box, or another box.

    Clicks stay; a mask that was drawn gives way.
    """
    said = prompt_in(book, object_id, frame_index)
    return replace(said, box=box) if said else _only(object_id, frame_index, box=box)


def prompt_in(book: BookState, object_id: int, frame_index: int) -> FramePrompt | None:
    """Return the clicks and the box of an object on a frame; None if there are none."""
    if object_id not in book:
        return None
    said = book[object_id].prompt_at(frame_index)
    return None if said is None or said.mask is not None else said


def gives_up_mask(book: BookState, prompt: FramePrompt) -> bool:
    """Whether a prompt would replace a mask that somebody drew."""
    if prompt.object_id not in book or prompt.mask is not None:
        return False
    said = book[prompt.object_id].prompt_at(prompt.frame_index)
    return said is not None and said.mask is not None


def _only(
    object_id: int,
    frame_index: int,
    points: tuple[PointPrompt, ...] = (),
    box: BoxPrompt | None = None,
) -> FramePrompt:
    return FramePrompt(object_id, frame_index, points, box)

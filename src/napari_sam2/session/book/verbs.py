"""Verbs of the book that are made of several of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from napari_sam2.errors import InputError
from napari_sam2.session.book.intake import Intake
from napari_sam2.session.book.prompt_book import Edit, PromptBook
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.planning.plan import Direction


def in_one_step(
    book: PromptBook, text: str, verbs: Callable[[PromptBook], None]
) -> Edit | None:
    """Let several verbs be one step of the history: all of them, or none.

    Raises
    ------
    InputError
        If one of the verbs cannot be done.
    """
    before = book.state
    with book.changed.blocked():
        try:
            verbs(book)
        except InputError:
            book.replace(before)
            raise
    return None if book.state is before else Edit(text, before, book.state)


def flipped(book: PromptBook, object_id: int, frame_index: int) -> Edit | None:
    """Turn the last point of an object on a frame round."""
    if object_id not in book.state:
        return None
    said = book.state[object_id].prompt_at(frame_index)
    if said is None or not said.points:
        return None
    last = said.points[-1]
    points = (*said.points[:-1], replace(last, positive=not last.positive))
    return book.set_prompt(replace(said, points=points))


def kept_direction(
    book: PromptBook, object_id: int, frames: FrameSet, way: Direction
) -> Edit:
    """Let one way through a gap be what an object's masks there follow from."""
    before = book.state
    with book.changed.blocked():
        book.mark_tracked(object_id, frames)
    return Edit(f"keep {way} of object {object_id}", before, book.state)


def taken_in(book: PromptBook, intake: Intake) -> Edit | None:
    """Take objects in from elsewhere, with their names, mothers and colours."""

    def verbs(book: PromptBook) -> None:
        for one in intake.objects:
            if one.object_id not in book.state:
                color = intake.colors.get(one.object_id)
                book.add_object(name=one.name, object_id=one.object_id, color=color)
        for one in intake.objects:
            if one.parent is not None:
                book.set_parent(one.object_id, one.parent)
        book.set_prompts(intake.prompts, intake.source)

    return in_one_step(book, f"take in {intake.source}", verbs)

"""What somebody wants to be tracked, and whether a plan made of it still holds."""

from __future__ import annotations

from dataclasses import dataclass

from napari_sam2.prompts import PromptedObject
from napari_sam2.session.book.changes import changed_lives, is_same_prompt
from napari_sam2.session.book.prompt_book import Edit
from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.session.planning.plan import Direction, MergePolicy

NOTHING_TO_REPAIR = "Nothing to repair: all masks follow from the prompts."


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants to be tracked.

    Attributes
    ----------
    frames
        First and last frame that may be written; None for all.
    start
        The frame that is looked at; `NEXT_ANCHOR` and `ONE_FRAME` are about it.
    is_repair
        Only what was tracked before is tracked again, where it is stale.
    joins_step
        What is written belongs to the last step of the history, whose consequence it
        is, and to each that is begun meanwhile; not to a step of its own.
    """

    direction: Direction = Direction.BOTH
    frames: tuple[int, int] | None = None
    merge: MergePolicy = MergePolicy.KEEP
    start: int = 0
    is_repair: bool = False
    joins_step: bool = False

    @property
    def text(self) -> str:
        """What the undo menu calls it."""
        if self.is_repair:
            return "repair"
        return f"track {self.direction.replace('_', ' ')}"


def holds(planned: BookState, present: BookState, frame_count: int) -> bool:
    """Whether what a plan was made of is still so: lives, prompts and locks."""
    followed = {state.object_id for state in planned.objects if state.prompts}
    if any(state.object_id in followed for state in present.gone_since(planned)):
        return False
    for state in present.new_since(planned):
        if state.object_id in followed and not _is_alike(
            planned[state.object_id], state
        ):
            return False
    found = changed_lives(planned, present, frame_count)
    return all(old == new for one, (old, new) in found.items() if one in followed)


def _is_alike(planned: ObjectState, present: ObjectState) -> bool:
    """Whether an object is prompted and locked as it was."""
    return (
        present.locked == planned.locked
        and len(present.prompts) == len(planned.prompts)
        and all(map(is_same_prompt, present.prompts, planned.prompts))
    )


def corrects(edit: Edit) -> bool:
    """Whether something follows from an edit that a repair can do."""
    changed, before = edit.changes, edit.before
    return bool(changed.prompted or changed.cleared or changed.removed) or any(
        edit.after[object_id].stale - before[object_id].stale
        for object_id in changed.others
    )


def prompted(book: BookState) -> tuple[PromptedObject, ...]:
    """Return the objects that something is said about."""
    return tuple(state.as_prompted() for state in book.objects if state.prompts)

"""Prompts from elsewhere: objects to take in, and a sentence about what was found.

Pure: nothing of Qt or napari.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from napari_sam2.errors import InputError
from napari_sam2.prompts import MAX_OBJECT_ID, FramePrompt, PromptedObject
from napari_sam2.session.book.state import Color
from napari_sam2.texts import counted

MAX_LISTED = 4
"""Renumbered ids that a sentence names one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class Intake:
    """Objects to take into the book, in one step.

    Attributes
    ----------
    objects
        With their prompts, names and parents; ids as they shall be in the book.
    source
        What they come from, for the undo menu: "labels of Cellpose".
    sentence
        What the person should know: how many there are, which have new ids, what was
        left out.
    renumbered
        New id of each object whose own was in use.
    colors
        RGBA in 0…1 that objects had where they come from, by new id.
    """

    objects: tuple[PromptedObject, ...]
    source: str
    sentence: str
    renumbered: Mapping[int, int] = field(default_factory=dict)
    colors: Mapping[int, Color] = field(default_factory=dict)

    @property
    def prompts(self) -> list[FramePrompt]:
        """All prompts, by object and frame."""
        return [prompt for prompted in self.objects for prompt in prompted.prompts]


def gathered(prompts: Iterable[FramePrompt]) -> tuple[PromptedObject, ...]:
    """Return prompts as objects, by id; at most one prompt a frame may be given."""
    by_object: dict[int, list[FramePrompt]] = {}
    for prompt in sorted(prompts, key=lambda one: (one.object_id, one.frame_index)):
        by_object.setdefault(prompt.object_id, []).append(prompt)
    return tuple(PromptedObject(one, tuple(said)) for one, said in by_object.items())


def free_ids(taken: Collection[int]) -> Iterator[int]:
    """Yield ids that are not in use: those above all others first, then gaps.

    Raises
    ------
    InputError
        Once there are none.
    """
    top = max(taken, default=0)
    yield from range(top + 1, MAX_OBJECT_ID + 1)
    yield from (object_id for object_id in range(1, top) if object_id not in taken)
    raise InputError(
        f"there are no more object ids, which end at {MAX_OBJECT_ID}: "
        "take fewer objects, or delete some"
    )


def new_ids(wanted: Sequence[int], taken: Collection[int]) -> dict[int, int]:
    """Return the new id of each id that is in use, or that no object can have."""
    unfit = [
        object_id
        for object_id in wanted
        if object_id in taken or not 1 <= object_id <= MAX_OBJECT_ID
    ]
    fit = set(wanted) - set(unfit)
    free = free_ids({*taken, *fit})
    return {object_id: next(free) for object_id in unfit}


def renumbered(
    objects: Sequence[PromptedObject], ids: Mapping[int, int]
) -> tuple[PromptedObject, ...]:
    """Return objects under new ids, their daughters with them."""

    def called(object_id: int) -> int:
        return ids.get(object_id, object_id)

    return tuple(
        PromptedObject(
            called(prompted.object_id),
            tuple(
                replace(prompt, object_id=called(prompt.object_id))
                for prompt in prompted.prompts
            ),
            prompted.name,
            None if prompted.parent is None else called(prompted.parent),
        )
        for prompted in objects
    )


def intake_of(
    objects: Sequence[PromptedObject], source: str, taken: Collection[int]
) -> Intake:
    """Return objects of a file, under new ids where theirs are in use.

    Parameters
    ----------
    source
        What they come from, for the undo menu and the sentence.
    taken
        Ids in use; none, to say more about the objects that have these ids.
    """
    ids = new_ids([prompted.object_id for prompted in objects], taken)
    taken_in = renumbered(objects, ids)
    return Intake(taken_in, source, sentence_of(taken_in, source, ids), ids)


def sentence_of(
    objects: Sequence[PromptedObject],
    source: str,
    ids: Mapping[int, int],
    left_out: Mapping[str, int] | None = None,
) -> str:
    """Say what was found.

    Parameters
    ----------
    ids
        Which have other ids now.
    left_out
        How many things were not used, by reason.
    """
    frames = {prompt.frame_index for prompted in objects for prompt in prompted.prompts}
    where = f" on {len(frames):,} frames" if len(frames) > 1 else ""
    if len(frames) == 1:
        where = f" on frame {frames.pop()}"
    parts = [f"{counted(len(objects), 'object')}{where} from {source}."]
    if ids:
        pairs = [f"{old} is now {new}" for old, new in list(ids.items())[:MAX_LISTED]]
        more = ", …" if len(ids) > MAX_LISTED else ""
        parts.append(f"Ids in use or out of range: {', '.join(pairs)}{more}.")
    dropped = [f"{count} {why}" for why, count in (left_out or {}).items() if count]
    if dropped:
        parts.append(f"Left out: {', '.join(dropped)}.")
    return " ".join(parts)

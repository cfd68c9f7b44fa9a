"""Objects as people see them, as JSON: for the session and for the steps of undo."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from napari_sam2.io.prompts.json_file import ObjectEntry, PromptEntry, describe_prompt
from napari_sam2.io.sessions.mask_files import MaskFiles
from napari_sam2.prompts import BoxPrompt, FramePrompt, PointPrompt
from napari_sam2.session.book.state import BookState, Color, ObjectState
from napari_sam2.session.planning.frame_set import FrameSet

Share = Annotated[float, Field(ge=0, le=1)]
Rgba = Annotated[list[Share], Field(min_length=4, max_length=4)]
Run = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2, max_length=2)]


class SessionObject(ObjectEntry):
    """An object of a session; masks are named by their content.

    Attributes
    ----------
    hidden
        Not shown in the viewer.
    locked, reviewed, stale, waiting
        Runs of frames, ``[first, stop]``.
    color
        RGBA in 0…1; None for that of its id.
    """

    hidden: bool = False
    locked: tuple[Run, ...] = ()
    reviewed: tuple[Run, ...] = ()
    stale: tuple[Run, ...] = ()
    waiting: tuple[Run, ...] = ()
    color: Rgba | None = None


class ObjectChange(BaseModel):
    """One object before and after a step; None where it did not exist."""

    model_config = ConfigDict(extra="forbid")

    before: SessionObject | None
    after: SessionObject | None


class BookWriter:
    """Turns objects into entries, and back; what did not change is not done again."""

    def __init__(self, masks: MaskFiles) -> None:
        self._masks = masks
        self._done: dict[int, tuple[ObjectState, SessionObject]] = {}

    def entry(self, state: ObjectState) -> SessionObject:
        """Return the entry of an object, writing masks that are new."""
        known = self._done.get(state.object_id)
        if known is not None and known[0] is state:
            return known[1]
        prompts = (
            {id(p): e for p, e in zip(known[0].prompts, known[1].prompts, strict=True)}
            if known
            else {}
        )
        entry = SessionObject.model_construct(
            id=state.object_id,
            name=state.name,
            parent=state.parent,
            prompts=[
                prompts.get(id(prompt)) or self._prompt(prompt)
                for prompt in state.prompts
            ],
            hidden=state.is_hidden,
            locked=_runs(state.locked),
            reviewed=_runs(state.reviewed),
            stale=_runs(state.stale),
            waiting=_runs(state.waiting),
            color=None if state.color is None else list(state.color),
        )
        self._done[state.object_id] = state, entry
        return entry

    def state(self, entry: SessionObject) -> ObjectState:
        """Return the object of an entry.

        Raises
        ------
        ValueError
            If the entry contradicts itself.
        OutputError
            If a mask is missing.
        """
        return ObjectState(
            object_id=entry.id,
            name=entry.name,
            parent=entry.parent,
            prompts=tuple(self._read(prompt, entry.id) for prompt in entry.prompts),
            is_hidden=entry.hidden,
            locked=_frames(entry.locked),
            reviewed=_frames(entry.reviewed),
            stale=_frames(entry.stale),
            waiting=_frames(entry.waiting),
            color=_color(entry.color),
        )

    def changes(self, before: BookState, after: BookState) -> list[ObjectChange]:
        """Return what differs between two books."""
        old = {state.object_id: state for state in before.objects}
        new = {state.object_id: state for state in after.objects}
        found = []
        for object_id in sorted(old.keys() | new.keys()):
            was, now = old.get(object_id), new.get(object_id)
            if was is now:
                continue
            change = ObjectChange.model_construct(
                before=None if was is None else self.entry(was),
                after=None if now is None else self.entry(now),
            )
            if change.before != change.after:
                found.append(change)
        return found

    def undone(self, book: BookState, changes: Iterable[ObjectChange]) -> BookState:
        """Return a book as it was before changes."""
        return self._with(book, ((change.after, change.before) for change in changes))

    def redone(self, book: BookState, changes: Iterable[ObjectChange]) -> BookState:
        """Return a book as it is after changes."""
        return self._with(book, ((change.before, change.after) for change in changes))

    def _with(
        self,
        book: BookState,
        pairs: Iterable[tuple[SessionObject | None, SessionObject | None]],
    ) -> BookState:
        gone, kept = [], []
        for left, entered in pairs:
            if entered is not None:
                kept.append(self.state(entered))
            elif left is not None:
                gone.append(left.id)
        return book.without(gone).with_objects(kept)

    def _prompt(self, prompt: FramePrompt) -> PromptEntry:
        name = None if prompt.mask is None else self._masks.put(prompt.mask)
        return describe_prompt(prompt, name)

    def _read(self, entry: PromptEntry, object_id: int) -> FramePrompt:
        points = entry.points or []
        positive = entry.positive or [True] * len(points)
        return FramePrompt(
            object_id,
            entry.frame,
            points=tuple(
                PointPrompt(y, x, flag)
                for (y, x), flag in zip(points, positive, strict=True)
            ),
            box=None if entry.box is None else BoxPrompt(*entry.box),
            mask=None
            if entry.mask is None
            else self._masks.restore(entry.mask, object_id, entry.frame),
        )


def _runs(frames: FrameSet) -> tuple[list[int], ...]:
    return tuple([int(first), int(stop)] for first, stop in frames.runs)


def _frames(runs: Iterable[list[int]]) -> FrameSet:
    return FrameSet(tuple((first, stop) for first, stop in runs))


def _color(shares: list[float] | None) -> Color | None:
    if shares is None:
        return None
    red, green, blue, alpha = shares
    return red, green, blue, alpha

"""From presses, moves and releases to what the person means by them.

Pure: nothing of Qt or napari, and no clock of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum, auto

from napari_sam2.engine.movie.axes import Spot
from napari_sam2.prompts import BoxPrompt, FramePrompt, PointPrompt
from napari_sam2.session.book.state import BookState


def with_click(
    book: BookState, object_id: int, spot: Spot, *, is_positive: bool
) -> FramePrompt:
    """Return what is said about an object once there is a click more.

    A mask that was drawn gives way: clicks and masks cannot be said together.
    """
    point = PointPrompt(spot.y, spot.x, is_positive)
    return with_points(book, object_id, spot.frame_index, (point,))


def with_points(
    book: BookState, object_id: int, frame_index: int, points: tuple[PointPrompt, ...]
) -> FramePrompt:
    """Return what is said about an object once there are more clicks, see above."""
    said = prompt_in(book, object_id, frame_index)
    if said is None:
        return FramePrompt(object_id, frame_index, points=points)
    return replace(said, points=(*said.points, *points))


def with_box(
    book: BookState, object_id: int, frame_index: int, box: BoxPrompt
) -> FramePrompt:
    """Return what is said about an object once there is a box, or another box.

    Clicks stay; a mask that was drawn gives way.
    """
    said = prompt_in(book, object_id, frame_index)
    if said is None:
        return FramePrompt(object_id, frame_index, box=box)
    return replace(said, box=box)


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


Position = tuple[float, ...]
"""Where in the layer, in its pixels; only passed on."""

SHIFT, CONTROL, ALT = "Shift", "Control", "Alt"
"""Modifiers, as napari calls them; Control is the Command key of macOS."""

DRAG_PIXELS = 5.0
"""Screen pixels by which a hand may tremble during a click."""

HOVER_SECONDS = 0.05
"""Shortest time between two previews: 20 a second."""


class PointerAction(Enum):
    """What a pointer does."""

    PRESS = auto()
    MOVE = auto()
    RELEASE = auto()


@dataclass(frozen=True, slots=True)
class Pointer:
    """One event of the mouse.

    Attributes
    ----------
    pixel
        Where on the screen, which decides what is a click and what is a drag.
    seconds
        When, on any clock that does not run backwards.
    modifiers
        Which of `SHIFT`, `CONTROL`, `ALT` are held.
    is_left
        Whether the left button is meant; of moves without a button it says nothing.
    """

    action: PointerAction
    position: Position
    pixel: tuple[float, float]
    seconds: float
    modifiers: frozenset[str] = frozenset()
    is_left: bool = True


@dataclass(frozen=True, slots=True)
class Click:
    """The pixel belongs to the object, or does not."""

    position: Position
    is_positive: bool


@dataclass(frozen=True, slots=True)
class Box:
    """The object lies between two corners."""

    first: Position
    last: Position


@dataclass(frozen=True, slots=True)
class BoxDraft:
    """A box is being drawn, so far between two corners."""

    first: Position
    last: Position


@dataclass(frozen=True, slots=True)
class Line:
    """The pixels along a line belong to the object, or do not."""

    positions: tuple[Position, ...]
    is_positive: bool


@dataclass(frozen=True, slots=True)
class LineDraft:
    """A line is being drawn, so far through these places."""

    positions: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class Choose:
    """The object at this pixel is the one to go on with."""

    position: Position


@dataclass(frozen=True, slots=True)
class Hover:
    """A click here is to be tried out."""

    position: Position
    is_positive: bool


@dataclass(frozen=True, slots=True)
class PreviewEnd:
    """No box is drawn any more, and no click is tried out."""


Intent = Click | Box | BoxDraft | Line | LineDraft | Choose | Hover | PreviewEnd


class Gestures:
    """Understands one hand.

    A click is positive, with Control negative, with Alt it chooses an object. A drag is
    a box, with Shift a line. With Shift held, moving tries a click out.
    """

    def __init__(self) -> None:
        self._pressed: Pointer | None = None
        self._is_box = False
        self._line: tuple[Position, ...] = ()
        self._is_previewing = False
        self._last_hover: Hover | None = None
        self._last_hover_at = -math.inf
        self._waiting: Pointer | None = None

    @property
    def is_drawing(self) -> bool:
        """Whether a box or a line is being drawn."""
        return self._is_box or bool(self._line)

    @property
    def due(self) -> float | None:
        """When `tick` is to be called, because a move came too soon after another."""
        return None if self._waiting is None else self._last_hover_at + HOVER_SECONDS

    def take(self, pointer: Pointer) -> list[Intent]:
        """Return what an event means, in the order in which it is to be done."""
        match pointer.action:
            case PointerAction.PRESS:
                return self._press(pointer)
            case PointerAction.MOVE if self._pressed is not None:
                return self._drag(self._pressed, pointer)
            case PointerAction.MOVE:
                return self._hover(pointer)
            case _:
                return self._release(pointer)

    def tick(self, seconds: float) -> list[Intent]:
        """Return the preview that had to wait, if its time has come."""
        if self._waiting is None or self.due is None or seconds < self.due:
            return []
        return self._show(self._waiting, seconds)

    def cancel(self) -> list[Intent]:
        """Forget what was begun."""
        self._pressed = None
        self._is_box, self._line = False, ()
        return self._end_preview()

    def _press(self, pointer: Pointer) -> list[Intent]:
        if self._pressed is not None or not pointer.is_left:
            # A second button takes back what the first one began.
            return self.cancel()
        self._pressed = pointer
        self._waiting = None
        return []

    def _drag(self, pressed: Pointer, pointer: Pointer) -> list[Intent]:
        is_line = SHIFT in pressed.modifiers
        if ALT in pressed.modifiers or (CONTROL in pressed.modifiers and not is_line):
            return []
        moved = math.dist(pressed.pixel, pointer.pixel)
        if not self.is_drawing and moved < DRAG_PIXELS:
            return []
        ended = [] if self.is_drawing else self._end_preview()
        self._is_previewing = True
        if is_line:
            self._line = (*(self._line or (pressed.position,)), pointer.position)
            return [*ended, LineDraft(self._line)]
        self._is_box = True
        return [*ended, BoxDraft(pressed.position, pointer.position)]

    def _release(self, pointer: Pointer) -> list[Intent]:
        pressed, is_box, line = self._pressed, self._is_box, self._line
        ended = self.cancel()
        if pressed is None:
            return ended
        if is_box:
            return [*ended, Box(pressed.position, pointer.position)]
        if line:
            return [*ended, Line(line, CONTROL not in pressed.modifiers)]
        if ALT in pressed.modifiers:
            return [*ended, Choose(pressed.position)]
        return [*ended, Click(pressed.position, CONTROL not in pressed.modifiers)]

    def _hover(self, pointer: Pointer) -> list[Intent]:
        if SHIFT not in pointer.modifiers or ALT in pointer.modifiers:
            return self._end_preview()
        if pointer.seconds < self._last_hover_at + HOVER_SECONDS:
            self._waiting = pointer
            return []
        return self._show(pointer, pointer.seconds)

    def _show(self, pointer: Pointer, seconds: float) -> list[Intent]:
        self._waiting = None
        hover = Hover(pointer.position, CONTROL not in pointer.modifiers)
        if self._is_previewing and hover == self._last_hover:
            return []
        self._last_hover, self._last_hover_at = hover, seconds
        self._is_previewing = True
        return [hover]

    def _end_preview(self) -> list[Intent]:
        self._waiting = None
        if not self._is_previewing:
            return []
        self._is_previewing = False
        return [PreviewEnd()]

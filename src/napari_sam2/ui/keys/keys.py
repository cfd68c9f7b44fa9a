"""All keys and gestures, in one table: bound, in tooltips, on the key sheet.

Pure: nothing of Qt or napari.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Ground(Enum):
    """Where keys are bound: on the kinds of our layers, and in the viewer.

    Layers of others know nothing of ours: what they do not bind themselves is asked of
    the viewer.
    """

    MASKLETS = "masklets"
    POINTS = "clicks"
    SHAPES = "boxes"
    VIEWER = "other layers"


EVERYWHERE = frozenset(Ground)
MASKLETS_ONLY = frozenset({Ground.MASKLETS})


@dataclass(frozen=True, slots=True)
class Key:
    """A key that does something.

    Attributes
    ----------
    name
        What is asked for: ``"undo"`` stands for the signal ``undo_requested``.
    keys
        In napari's words, such as ``"Control-Z"``; the first one is shown.
    title
        What it does, for tooltips and the sheet.
    grounds
        On which of our layers, or all others.
    instead
        What napari does with this key on such layers, where we deliberately differ.
    """

    name: str
    keys: tuple[str, ...]
    title: str
    grounds: frozenset[Ground] = EVERYWHERE
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Gesture:
    """What the mouse does while the tool is on."""

    motion: str
    title: str


GESTURES = (
    Gesture("Click", "This belongs to the object"),
    Gesture("{Control}click", "This does not belong to it"),
    Gesture("Drag", "A box around the object"),
    Gesture("{Shift}drag", "A line through the object: clicks along it"),
    Gesture("{Control}{Shift}drag", "A line through what does not belong to it"),
    Gesture("{Shift}move", "Preview: what a click here would do"),
    Gesture("{Control}{Shift}move", "Preview of a click outside the object"),
    Gesture("Middle or {Alt}click", "Go on with the object under the pointer"),
    Gesture("Wheel", "Zoom"),
    Gesture("Hold Space and drag", "Move the picture"),
    Gesture("Paint, erase or fill", "napari's own tools: the mask as you draw it"),
    Gesture("Drag or delete a mark", "Move or take back a click or a box"),
)
"""Modifiers in braces are written as the platform writes them."""

LIST_KEYS = (
    Gesture("N", "Begin a new object"),
    Gesture("Delete, Backspace", "Delete the chosen objects"),
    Gesture("K", "Lock or unlock the chosen objects on all frames"),
    Gesture("Space", "Hide or show the chosen objects"),
    Gesture("J", "Jump to the most doubtful frame nobody reviewed"),
    Gesture("F2", "Rename the object"),
    Gesture("{Control}D", "Begin another object with the same prompts"),
    Gesture("{Control}M", "Merge the chosen objects"),
    Gesture("{Control}P", "Say which object is the mother"),
)
"""While the list of objects has the keyboard."""

TIMELINE_KEYS = (
    Gesture("Left, Right", "One frame; with {Shift}, ten"),
    Gesture("Home, End", "First and last frame"),
    Gesture("Up, Down", "Choose the object above or below"),
    Gesture("PageUp, PageDown", "The object's anchor before or behind"),
    Gesture("[, ]", "The range to track begins or ends here"),
    Gesture("+, -, 0", "Zoom in, out, show all frames"),
)
"""While the timeline has the keyboard."""

KEYS = (
    Key("toggle", ("W",), "Switch the SAM 2 tool on or off"),
    Key("new_object", ("N",), "Begin a new object"),
    Key("previous_object", (",",), "Go to the object before"),
    Key("next_object", (".",), "Go to the next object"),
    Key(
        "flip",
        ("T",),
        "Turn the last click round: inside or outside",
        # On shapes, napari draws paths with T.
        EVERYWHERE - {Ground.SHAPES},
    ),
    Key(
        "remove",
        ("Delete", "Backspace"),
        "Delete the object",
        # On clicks and boxes, napari deletes the chosen marks.
        MASKLETS_ONLY,
    ),
    Key("hide", ("H",), "Hide or show the object"),
    Key("lock", ("K",), "Lock or unlock the object on this frame"),
    Key("doubtful", ("J",), "Jump to the most doubtful frame nobody reviewed"),
    Key("review", ("U",), "This frame is right: mark it reviewed"),
    Key("previous_anchor", ("PageUp",), "Jump to the object's anchor before"),
    Key("next_anchor", ("PageDown",), "Jump to the object's next anchor"),
    Key(
        "accept_division",
        ("D",),
        "Go to a proposed division; there, accept it",
        # On shapes, napari selects vertices with D.
        EVERYWHERE - {Ground.SHAPES},
    ),
    Key("reject_division", ("Control-D",), "Reject the proposed division"),
    Key("cut", ("Control-K",), "Cut the object: from this frame on it is another one"),
    Key("track", ("G",), "Track; while tracking, stop"),
    Key("undo", ("Control-Z",), "Undo", instead="undo of the layer's own strokes"),
    Key("redo", ("Control-Shift-Z",), "Redo", instead="redo of the layer's strokes"),
    Key("key_sheet", ("Q",), "Show all keys and gestures"),
)

PAN_KEY, PREVIEW_KEY = "Space", "Shift"
"""Held while the tool is on: the first does what napari does with it in other modes."""


def key_named(name: str) -> Key:
    """Return the entry of a name.

    Raises
    ------
    KeyError
        If there is none.
    """
    for key in KEYS:
        if key.name == name:
            return key
    raise KeyError(name)

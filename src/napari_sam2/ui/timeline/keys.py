"""What keys mean in a timeline that has the focus."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt

STRIDE = 10
"""Frames that an arrow goes with Shift."""


def frame_after_key(
    key: int, modifiers: Qt.KeyboardModifier, frame_index: int, anchors: Sequence[int]
) -> int | None:
    """Return where a key leads from a frame; None if it has nothing to do with frames.

    Parameters
    ----------
    key, modifiers
        Left and right go a frame, with Shift `STRIDE`; Page Up and Down to the anchor
        before and behind.
    frame_index
        The current frame.
    anchors
        Of the chosen object, ascending.
    """
    stride = STRIDE if modifiers & Qt.KeyboardModifier.ShiftModifier else 1
    match key:
        case Qt.Key.Key_Left:
            return frame_index - stride
        case Qt.Key.Key_Right:
            return frame_index + stride
        case Qt.Key.Key_PageUp:
            before = [one for one in anchors if one < frame_index]
            return before[-1] if before else frame_index
        case Qt.Key.Key_PageDown:
            behind = [one for one in anchors if one > frame_index]
            return behind[0] if behind else frame_index
    return None


def lane_after_key(key: int, lane: int | None, lane_count: int) -> int | None:
    """Return the lane above or below; None if the key does not choose lanes."""
    steps = {int(Qt.Key.Key_Up): -1, int(Qt.Key.Key_Down): 1}
    if int(key) not in steps or lane_count == 0:
        return None
    if lane is None:
        return 0
    return min(max(lane + steps[int(key)], 0), lane_count - 1)

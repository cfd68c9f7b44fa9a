"""What a click of the tool is about: the selected object, or a new one."""

from __future__ import annotations

import math
from dataclasses import replace

from qtpy.QtCore import QObject

from napari_sam2.prompts import FramePrompt
from napari_sam2.session.book.state import BookState
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.ui.dock.parts import TrackerParts

FAR = 4.0
"""Radii of an object between its middle and a click that is hardly about it."""


class ClickMode(QObject):
    """Lets each click be a new object, or those on the selected one correct it.

    A movie without objects begins with the first; whoever chooses an object, or tracks,
    goes on with the second. There a click far away from its object is asked about.
    """

    def __init__(self, parts: TrackerParts, parent: QObject) -> None:
        super().__init__(parent)
        self._parts = parts
        conductor, keys, prompts = parts.conductor, parts.keys, parts.prompt_panel
        parts.tool.prompt_requested.connect(self._on_prompt)
        prompts.each_new_changed.connect(parts.tool.let_each_click_be_new)
        conductor.editor.turned.connect(self._on_turned)
        conductor.editor.forgot.connect(self._on_turned)
        for chosen in (
            parts.object_panel.selection_requested,
            parts.timeline_panel.selection_requested,
            parts.tool.object_chosen,
            parts.prompt_panel.object_changed_by_hand,
            parts.run_bar.track_requested,
            keys.previous_object_requested,
            keys.next_object_requested,
            keys.doubtful_requested,
        ):
            chosen.connect(self._on_chosen)
        self._on_turned()

    def _on_turned(self) -> None:
        is_empty = not self._parts.conductor.book.objects
        self._parts.prompt_panel.set_each_new(is_empty)

    def _on_chosen(self, _what: object = None) -> None:
        if self._parts.conductor.book.objects:
            self._parts.prompt_panel.set_each_new(False)

    def _on_prompt(self, prompt: FramePrompt) -> None:
        conductor = self._parts.conductor
        if not is_far(conductor.book, conductor.tables, prompt):
            self._begin(prompt)
            return
        object_id = prompt.object_id
        new = replace(
            prompt, object_id=conductor.book.next_id, points=prompt.points[-1:]
        )
        self._parts.offer.make(
            f"That is far from object {object_id}. Another cell?",
            {
                "New object": lambda: self._begin(new),
                f"Object {object_id}": lambda: conductor.set_prompt(prompt),
            },
        )

    def _begin(self, prompt: FramePrompt) -> None:
        """Do what was clicked; that object is chosen, also the first of all."""
        self._parts.selection.go_on_with(prompt.object_id)
        self._parts.conductor.set_prompt(prompt)


def is_far(book: BookState, tables: ScoreTables | None, prompt: FramePrompt) -> bool:
    """Whether the last click is inside an object, and far from its mask on the frame.

    Parameters
    ----------
    book, tables
        What was said, and measured; None if nothing was.
    prompt
        All that is said about the object on the frame now.
    """
    if tables is None or not prompt.points or not prompt.points[-1].positive:
        return False
    if prompt.object_id not in book or prompt.box is not None:
        return False
    column = tables.columns.get(prompt.object_id)
    if column is None:
        return False
    frame_index, last = prompt.frame_index, prompt.points[-1]
    area = float(tables.area[frame_index, column])
    if not area > 0:
        return False
    away = math.hypot(
        last.y - float(tables.y[frame_index, column]),
        last.x - float(tables.x[frame_index, column]),
    )
    return away > FAR * math.sqrt(area / math.pi)

"""Make the pictures of ``docs/design-notes.md`` anew: the window as it is now.

``python tools/with_display.py python docs/make_design_pictures.py`` works as
``make_screenshots.py`` does, in a window as large as napari's at its first start. The
pictures of the window as it was before are kept as they were taken then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from make_screenshots import (
    MOMENT,
    PATIENCE,
    SETTING,
    Person,
    process_events,
    save_pixels,
    save_section,
    save_widget,
    without_settings_of_a_person,
)

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

FIRST_START = (1089, 768)
COPIES = 6
"""So many sample frames side by side: their nuclei are few pixels for nano."""

SHOWN = 300
"""Pixels around the middle of the canvas that pictures of masks show."""


def main() -> None:
    """Make all of them."""
    SETTING.size = FIRST_START
    with without_settings_of_a_person():
        picture_clicks_and_tracking()
        picture_small_cells()
        picture_beginning()


def picture_clicks_and_tracking() -> None:
    """Click on nuclei, look at them filled and as outlines, track, ask for doubts."""
    me = Person("Dividing nuclei", SETTING.theme)
    me.save("design-after.png")
    me.press(me.parts.prompt_panel.tool_button)
    for cell in me.largest_cells():
        me.click(*cell)
        me.rest()
    save_section(me, "clicks", "design-clicks.png")
    me.viewer.layers.selection.active = me.viewer.layers[0]
    save_canvas(me, "design-colours.png")
    me.press(me.parts.object_panel.outline_button)
    process_events(MOMENT)
    save_canvas(me, "design-outlines.png")
    me.press(me.parts.object_panel.outline_button)
    me.push("G")
    bar = me.parts.run_bar.bar
    process_events(PATIENCE, lambda: 0 < bar.maximum() / 2 < bar.value())
    save_widget(me.dock, "design-tracking.png")
    me.rest()
    me.push("J")
    me.rest()
    me.save("design-doubtful.png")
    me.close()


def picture_small_cells() -> None:
    """Click on a cell that is small for the model: what is said, and offered."""
    me = Person("Dividing nuclei", SETTING.theme)
    movie, truth = me.viewer.layers[:2]
    frames = np.asarray(movie.data[:2])
    y, x = me.largest_cells()[0]
    me.viewer.layers.remove(truth)
    movie.data = np.tile(frames, (1, COPIES, COPIES))
    me.viewer.reset_view()
    process_events(MOMENT)
    me.press(me.parts.prompt_panel.tool_button)
    me.click(y, x)
    me.rest()
    assert me.parts.offer.is_open, me.parts.status.text()
    save_widget(head_of(me), "design-limit.png")
    me.close()


def picture_beginning() -> None:
    """Close the movie: three buttons are left."""
    me = Person("Dividing nuclei", SETTING.theme)
    me.viewer.layers.clear()
    process_events(2 * MOMENT)
    save_widget(head_of(me), "design-beginning.png")
    me.close()


def head_of(me: Person) -> QWidget:
    """Return what stays in sight at the top of the dock."""
    head = me.parts.run_bar.parentWidget()
    assert head is not None
    return head


def save_canvas(me: Person, name: str) -> None:
    """Save the middle of the picture."""
    pixels = me.viewer.screenshot(canvas_only=True, flash=False)
    y, x = (side // 2 for side in pixels.shape[:2])
    half = min(SHOWN, y, x)
    save_pixels(pixels[y - half : y + half, x - half : x + half], name)


if __name__ == "__main__":
    main()

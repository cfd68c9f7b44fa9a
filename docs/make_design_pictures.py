"""Make two pictures of ``docs/design-notes.md``: the head of the dock, and its offers.

``python tools/with_display.py python docs/make_design_pictures.py`` works as
``make_screenshots.py`` does. The other pictures of that page are cut out of those of
the tutorial, as it is now and as it was before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from make_screenshots import (
    MOMENT,
    SETTING,
    Person,
    process_events,
    save_widget,
    without_settings_of_a_person,
)

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

COPIES = 6
"""So many sample frames side by side: their nuclei are few pixels for nano."""


def main() -> None:
    """Make all of them."""
    with without_settings_of_a_person():
        picture_small_cells()
        picture_beginning()


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


if __name__ == "__main__":
    main()

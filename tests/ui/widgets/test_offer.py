"""What is offered: all of it is read, whatever the width."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_sam2.ui.widgets.offer import Offer

TITLES = ("Look closely (tiles)", "Only what is shown", "SAM 2.1 small (184 MB)")


@pytest.mark.parametrize("width", [240, 340, 700])
def test_texts_of_all_buttons_are_read_in_a_narrow_dock(qtbot, width):
    dock, offer, taken = QWidget(), Offer(), []
    QVBoxLayout(dock).addWidget(offer)
    qtbot.addWidget(dock)
    dock.resize(width, 300)
    with qtbot.waitExposed(dock):
        dock.show()
    offer.make("Cells are small.", {one: lambda: taken.append(1) for one in TITLES})
    qtbot.waitUntil(lambda: all(one.isVisible() for one in offer.buttons))
    qtbot.wait(50)
    for button in offer.buttons[:-1]:
        assert button.width() >= button.sizeHint().width()
    places = [button.geometry() for button in offer.buttons]
    assert all(offer.rect().contains(place) for place in places)
    assert not any(
        one.intersects(other)
        for at, one in enumerate(places)
        for other in places[at + 1 :]
    )
    # No row of its own for the cross.
    assert places[-1].top() < places[0].top()
    qtbot.mouseClick(offer.buttons[2], Qt.MouseButton.LeftButton)
    assert taken == [1]
    assert not offer.is_open

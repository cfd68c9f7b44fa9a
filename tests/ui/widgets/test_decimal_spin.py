"""Numbers with decimals are typed with a point or a comma."""

import pytest
from qtpy.QtCore import QLocale, Qt

from napari_sam2.ui.widgets.decimal_spin import DecimalSpin


@pytest.mark.parametrize(("language", "shown"), [("de_DE", "2,50"), ("en_US", "2.50")])
@pytest.mark.parametrize("typed", ["2.5", "2,5"])
def test_a_half_is_a_half_in_every_language(qtbot, language, shown, typed):
    spin = DecimalSpin()
    qtbot.addWidget(spin)
    spin.setLocale(QLocale(language))
    spin.selectAll()
    qtbot.keyClicks(spin, typed)
    qtbot.keyClick(spin, Qt.Key.Key_Return)
    assert spin.value() == 2.5
    assert spin.text() == shown

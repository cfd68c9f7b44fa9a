"""Numbers with decimals are typed with a point or a comma, and shown with a point."""

import pytest
from qtpy.QtCore import QLocale, Qt

from napari_sam2.ui.widgets.decimal_spin import DecimalSpin


@pytest.fixture(params=["de_DE", "en_US", "fr_FR"])
def language(request):
    """The language of the desktop."""
    before = QLocale()
    QLocale.setDefault(QLocale(request.param))
    yield request.param
    QLocale.setDefault(before)


@pytest.mark.parametrize("typed", ["2.5", "2,5"])
def test_a_half_is_a_half_in_every_language(qtbot, language, typed):
    spin = DecimalSpin()
    qtbot.addWidget(spin)
    spin.selectAll()
    qtbot.keyClicks(spin, typed)
    qtbot.keyClick(spin, Qt.Key.Key_Return)
    assert spin.value() == 2.5
    assert spin.text() == "2.50"

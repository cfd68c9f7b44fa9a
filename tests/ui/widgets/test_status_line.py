"""The line that says what goes on, as it is drawn."""

from collections import Counter
from types import SimpleNamespace

import pytest
from qtpy.QtGui import QColor

from napari_sam2.errors import InputError
from napari_sam2.ui.widgets.status_line import StatusLine, contrast


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_errors_are_read_in_every_theme(qtbot, theme):
    line = StatusLine(SimpleNamespace(theme=theme))
    qtbot.addWidget(line)
    line.resize(400, 80)
    line.complain(InputError("There is no movie: open one first"))
    drawn = line.grab().toImage()
    seen = Counter(
        drawn.pixel(x, y) for x in range(drawn.width()) for y in range(drawn.height())
    )
    box = QColor.fromRgba(seen.most_common(1)[0][0])
    best = max(contrast(QColor.fromRgba(one), box) for one in seen)
    assert best >= 4.5


def test_contrast_is_that_of_the_standard():
    assert contrast(QColor("black"), QColor("white")) == pytest.approx(21)
    assert contrast(QColor("#767676"), QColor("white")) == pytest.approx(4.54, abs=0.01)

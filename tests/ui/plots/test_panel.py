"""The plots: units of the world, what is drawn, and the table that is exported."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QFileDialog

from napari_sam2.errors import OutputError
from napari_sam2.interfaces import Calibration
from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.ui.plots.curves import (
    CurveTable,
    Quantity,
    WorldUnits,
    curves,
    legible,
    ticks_between,
)
from napari_sam2.ui.plots.panel import MOST_OBJECTS, NOTHING, PlotsPanel

FRAMES = 40
MICROMETERS = Calibration(
    scale=(30.0, 0.5, 0.25), units=("second", "micrometer", "micrometer")
)


def made_tables(ids=(2, 6)):
    tables = ScoreTables.empty(ids, FRAMES)
    tables.object_score[:] = 8
    tables.area[:] = 80
    tables.y[:] = 3.0 * np.arange(FRAMES)[:, None]
    tables.x[:] = 4.0
    tables.intensity[:] = 7
    for name in ("y", "x", "intensity"):
        getattr(tables, name)[10:, 1] = np.nan
    tables.area[10:, 1] = 0
    return tables


def test_numbers_are_in_the_units_of_the_movie():
    units = WorldUnits.of(MICROMETERS)
    found = curves(made_tables(), (6, 2), units)
    assert found[Quantity.AREA][0].tolist() == [10, 10]
    assert found[Quantity.DISPLACEMENT][1].tolist() == [1.5, 1.5]
    for values in found.values():
        assert np.isnan(values[10:, 0]).all()
    assert units.label(Quantity.AREA) == "Area (µm²)"
    assert units.label(Quantity.DISPLACEMENT) == "Displacement (µm)"
    assert units.label(Quantity.TRUST) == "Trust"
    assert units.time_label == "time (s)"
    assert units.place_of(2) == 60
    assert [units.frame_at(one, FRAMES) for one in (61, -5, 1e9)] == [2, 0, 39]


def test_without_calibration_pixels_and_frames_are_counted():
    units = WorldUnits.of(Calibration())
    assert (units.label(Quantity.AREA), units.time_label) == ("Area (px²)", "frame")
    assert WorldUnits.of(Calibration(frame_axis="z")).time_label == "slice"
    uneven = Calibration(scale=(1, 2, 3), units=(None, "micrometer", None))
    assert WorldUnits.of(uneven).pixel == (1, 1)
    depth = Calibration((2, 1, 1), units=("micrometer", None, None), frame_axis="z")
    assert WorldUnits.of(depth).time_label == "depth (µm)"


def test_the_table_has_a_line_for_each_known_frame(tmp_path):
    units = WorldUnits.of(MICROMETERS)
    values = curves(made_tables(), (2, 6), units)
    path = tmp_path / "curves.csv"
    CurveTable((2, 6), ("left, upper", "object 6"), values, units).write(path)
    with path.open(newline="", encoding="utf-8") as file:
        head, *lines = csv.reader(file)
    measured = ["area [µm²]", "intensity", "displacement [µm]", "trust"]
    assert head == ["object", "name", "frame", "time [s]", *measured]
    assert len(lines) == FRAMES + 10
    assert lines[0][:7] == ["2", "left, upper", "0", "0", "10", "7", ""]
    assert lines[FRAMES + 3][:7] == ["6", "object 6", "3", "90", "10", "7", "1.5"]
    with pytest.raises(OutputError, match="cannot be written"):
        CurveTable((), (), values, units).write(tmp_path / "none" / "x.csv")


def test_curves_keep_their_colour_unless_it_would_not_be_seen():
    palette = QPalette()
    palette.setColor(QPalette.ColorRole.Base, QColor("black"))
    palette.setColor(QPalette.ColorRole.Text, QColor("white"))
    assert legible((1, 0.5, 0, 1), palette).name() == "#ff8000"
    dark = legible((0.1, 0, 0.1, 1), palette)
    assert dark.lightnessF() > 0.4
    assert dark.redF() > dark.greenF()


@pytest.fixture
def panel(qtbot):
    widget = PlotsPanel()
    qtbot.addWidget(widget)
    widget.show_movie(FRAMES, MICROMETERS)
    widget.show_state(BookState((ObjectState(2, name="A<b"), ObjectState(6))))
    widget.show_scores(made_tables())
    widget.show_selected((6, 2, 99))
    return widget


def test_nothing_is_drawn_before_it_is_seen(panel, qtbot):
    assert panel.grid is None
    with qtbot.waitExposed(panel):
        panel.show()
    for quantity in Quantity:
        assert len(panel.grid.plots[quantity].listDataItems()) == 2
    assert "A&lt;b" in panel.legend.text()
    panel.show_selected(())
    qtbot.waitUntil(lambda: panel.legend.text() == NOTHING)
    assert not panel.grid.isVisible()


def test_only_so_many_objects_are_plotted(panel):
    panel.show_scores(made_tables(range(1, 31)))
    panel.show_selected(range(30, 0, -1))
    assert panel.plotted == tuple(range(1, MOST_OBJECTS + 1))


def test_the_line_follows_and_leads(panel, qtbot):
    with qtbot.waitExposed(panel):
        panel.show()
    with qtbot.assertNotEmitted(panel.frame_requested):
        panel.show_frame(7)
    lines = list(panel.grid.lines.values())
    assert {line.value() for line in lines} == {210}
    lines[1].setValue(318)
    with qtbot.waitSignal(panel.frame_requested) as signal:
        lines[1].sigDragged.emit(lines[1])
    assert signal.args == [11]
    assert {line.value() for line in lines} == {330}


def test_plots_come_and_go(panel, qtbot):
    with qtbot.waitExposed(panel):
        panel.show()
    assert panel.grid.shown == (Quantity.AREA, Quantity.TRUST)
    panel.buttons[Quantity.TRUST].click()
    panel.buttons[Quantity.AREA].click()
    assert panel.grid.shown == ()
    panel.buttons[Quantity.INTENSITY].click()
    panel.buttons[Quantity.DISPLACEMENT].click()
    assert panel.grid.shown == (Quantity.INTENSITY, Quantity.DISPLACEMENT)
    panel.buttons[Quantity.TRUST].click()
    assert panel.grid.shown[-1] is Quantity.TRUST
    assert len(panel.grid.plots[Quantity.AREA].listDataItems()) == 2
    panel.fit_button.click()


def test_the_worker_is_asked_to_write_what_was_plotted(panel, qtbot, monkeypatch):
    tables = made_tables()
    panel.show_scores(tables)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("/a/b", ""))
    panel._draw()
    with qtbot.waitSignal(panel.export_requested) as signal:
        panel.export_button.click()
    table, path = signal.args
    assert path == Path("/a/b.csv")
    assert table.object_ids == (2, 6)
    tables.area[:] = 0  # what is tracked meanwhile is not in it
    assert table.values[Quantity.AREA][0].tolist() == [10, 10]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    with qtbot.assertNotEmitted(panel.export_requested):
        panel.export_button.click()


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.floats(1, 30, exclude_max=True))
def test_numbers_beside_a_plot_have_room_and_there_is_one(low, height, most):
    step, ticks = ticks_between(low, low + height, most)
    assert ticks
    assert len(ticks) == 1 or step >= 0.999 * height / most
    assert all(low - 1e-6 <= tick <= low + height + 1e-6 for tick in ticks)

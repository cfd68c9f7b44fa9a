"""How the dock lies on a small screen: nothing is cut, and what is folded stays so."""

from contextlib import closing
from functools import partial

import pytest
from napari.components import ViewerModel
from napari.qt import get_stylesheet
from qtpy.QtCore import QPoint, QSettings, Qt
from qtpy.QtWidgets import QPushButton, QWidget
from tests.ui.lineage.test_tree import dividing_book

from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.ui.automatic.panel import AutomaticPanel
from napari_sam2.ui.lineage.panel import LineagePanel
from napari_sam2.ui.objects.panel import ObjectPanel
from napari_sam2.ui.plots.panel import AT_FIRST, PlotsPanel
from napari_sam2.ui.prompts.panel import PromptPanel
from napari_sam2.ui.timeline.panel import TimelinePanel
from napari_sam2.ui.track.panel import TrackPanel
from napari_sam2.ui.track.run_bar import RunBar
from napari_sam2.ui.widgets.connections import Connections
from napari_sam2.ui.widgets.layout import (
    LEAST_WIDTH,
    Column,
    TimeStrip,
    lay_out_column,
)
from napari_sam2.ui.widgets.panel import Panel
from napari_sam2.ui.widgets.section import Folds, Section

LOWEST_WINDOW = 768
WIDTH_AT_FIRST = 1089
LEAST_CURVE = 20
"""Pixels in height, below which a curve is a line."""
NAPARI_NEEDS = 620
"""Pixels in height of napari's own docks and menus when a labels layer is selected."""


@pytest.fixture
def laid_out(qtbot):
    """Return a function that shows sections in a column, as the dock does."""
    owners = []  # qtbot does not keep them

    def show(*sections, width=400, height=500):
        owner = QWidget()
        owner.setStyleSheet(get_stylesheet("dark"))
        owners.append(owner)
        qtbot.addWidget(owner)
        lay_out_column(owner, QWidget(), sections)
        owner.resize(width, height)
        with qtbot.waitExposed(owner):
            owner.show()
        return owner

    return show


def cut_buttons(widget):
    """Return the texts of all buttons that are smaller than they ask to be."""
    return [
        one.text()
        for one in widget.findChildren(QPushButton)
        if one.isVisible() and one.size().expandedTo(one.sizeHint()) != one.size()
    ]


@pytest.mark.parametrize("width", [LEAST_WIDTH, 400, 600])
def test_no_button_of_track_is_cut_whatever_comes_and_goes(laid_out, qtbot, width):
    panel = TrackPanel()
    panel.range_row.show_frame_count(1000)
    laid_out(Section(panel, is_open=True), width=width)
    row = panel.comparison_row
    for step in (
        lambda: panel.set_frozen(True),
        lambda: panel.set_frozen(False),
        panel.more.button.click,
        lambda: row.show_progress(0, 5),
        lambda: row.show_result({1: 0.5, 2: 0.6}),
        row.clear,
    ):
        step()
        qtbot.wait(20)
        assert cut_buttons(panel) == []
        note = panel.merge_note
        assert note.height() >= note.heightForWidth(note.width())


@pytest.mark.parametrize("width", [LEAST_WIDTH, 400, 600])
def test_no_button_of_the_head_is_cut(laid_out, qtbot, width):
    bar = RunBar()
    laid_out(bar, width=width)
    for step in (
        lambda: bar.set_tracking(True),
        lambda: bar.show_progress(3, 7),
        bar.let_go,
        lambda: bar.show_paused(True),
        lambda: bar.set_tracking(False),
    ):
        step()
        qtbot.wait(20)
        assert cut_buttons(bar) == []


@pytest.mark.parametrize("width", [LEAST_WIDTH, 400])
def test_no_button_of_the_clicks_is_cut(laid_out, qtbot, width):
    viewer = ViewerModel()
    with closing(Connections()) as connections:
        panel = PromptPanel(viewer, connections)
        laid_out(Section(panel, is_open=True), width=width)
        qtbot.wait(20)
        assert cut_buttons(panel) == []


def test_a_section_that_is_unfolded_is_not_cut(laid_out, qtbot):
    wide = Panel("Wide")
    wide.form.addRow(QPushButton("a text that takes more room than a narrow dock has"))
    section = Section(wide, is_open=False)
    owner = laid_out(section, width=150)
    folded = owner.width()
    section.set_open(True)
    qtbot.waitUntil(lambda: owner.minimumSizeHint().width() > folded)
    owner.resize(150, 500)
    qtbot.wait(20)
    assert cut_buttons(owner) == []
    right = section.mapTo(owner, section.rect().topRight()).x()
    assert right <= owner.width()


@pytest.mark.parametrize("width", [LEAST_WIDTH, 400])
def test_no_button_of_everything_is_cut(laid_out, qtbot, width):
    panel = AutomaticPanel()
    laid_out(Section(panel, is_open=True), width=width)
    qtbot.wait(20)
    assert cut_buttons(panel) == []


@pytest.mark.parametrize("width", [LEAST_WIDTH, 400, 600])
def test_names_of_objects_are_not_cut(laid_out, qtbot, width):
    panel = ObjectPanel()
    laid_out(Section(panel, is_open=True), width=width)
    view = panel.view
    for state in (
        BookState((ObjectState(12),)),
        BookState((ObjectState(11), ObjectState(12, parent=11))),
    ):
        panel.show_state(state)
        qtbot.wait(20)
        index = panel.filtered.index_of(12)
        room = view.columnWidth(index.column())
        assert room >= view.sizeHintForIndex(index).width()
        assert cut_buttons(panel) == []
        if width >= 400:
            assert not view.horizontalScrollBar().isVisible()
        head = view.horizontalHeader()
        for column in range(view.model().columnCount()):
            title = view.model().headerData(column, Qt.Orientation.Horizontal)
            beside = view.columnWidth(column) - head.fontMetrics().horizontalAdvance(
                title
            )
            assert beside >= 6 or view.isColumnHidden(column), title


def test_the_table_is_not_cut_where_the_dock_scrolls(laid_out, qtbot):
    panel = ObjectPanel()
    panel.show_state(BookState((ObjectState(12),)))
    owner = laid_out(Section(panel, is_open=True), width=LEAST_WIDTH, height=200)
    qtbot.wait(20)
    assert owner.findChild(Column).verticalScrollBar().isVisible()
    assert not panel.view.horizontalScrollBar().isVisible()


def test_mothers_have_a_column_once_there_is_one(qtbot):
    panel = ObjectPanel()
    qtbot.addWidget(panel)
    whole = ObjectState(1), ObjectState(2)
    panel.show_state(BookState(whole))
    assert panel.view.isColumnHidden(4)
    panel.show_state(BookState((whole[0], ObjectState(2, parent=1))))
    assert not panel.view.isColumnHidden(4)


def test_plots_do_not_make_a_window_higher_than_a_small_screen(qtbot):
    plots, family = PlotsPanel(), LineagePanel()
    strip = TimeStrip(TimelinePanel(), plots, family)
    qtbot.addWidget(strip)
    with qtbot.waitExposed(strip):
        strip.show()
    assert not strip.isTabVisible(1)  # nothing is tracked
    strip.offer_plots(True)
    strip.setCurrentIndex(1)
    qtbot.waitUntil(lambda: plots.grid is not None)
    plots.grid.show()
    family.show_movie(20)
    family.show_state(dividing_book().state)
    family.show_selected([3])
    qtbot.waitUntil(family.isVisible)
    qtbot.wait(20)
    assert strip.minimumSizeHint().height() <= LOWEST_WINDOW - NAPARI_NEEDS
    assert strip.sizeHint().height() > strip.minimumSizeHint().height()
    family.hide()
    strip.resize(WIDTH_AT_FIRST, LOWEST_WINDOW - NAPARI_NEEDS)
    qtbot.wait(20)
    canvas, shown = plots.grid.canvas, [plots.grid.plots[one] for one in AT_FIRST]
    for plot in shown:
        assert canvas.sceneRect().contains(plot.sceneBoundingRect())
        assert plot.getViewBox().height() >= LEAST_CURVE


@pytest.fixture
def sections(qtbot):
    made = {name: Section(Panel(name), is_open=True) for name in ("Movie", "Track")}
    for one in made.values():
        qtbot.addWidget(one)
    return made


def test_a_folded_section_is_out_of_the_way_and_says_what_was_chosen(laid_out, qtbot):
    panel = Panel("Movie")
    button = QPushButton("Contrast")
    panel.add_row("Look", button)
    one = Section(panel, is_open=True)
    one.show_summary("my & movie")
    laid_out(one)
    assert "Movie" in one.heading.text()
    assert "movie" not in one.heading.text()
    assert button.isVisible()
    height = one.height()
    qtbot.keyClick(one.heading, Qt.Key.Key_Space)
    assert not one.is_open
    assert not button.isVisible()  # neither for the tab key
    assert "Movie:  my && movie" in one.heading.text()
    assert "folded" in one.heading.accessibleName()
    qtbot.wait(20)
    assert one.sizeHint().height() < height
    one.show_summary("long " * 100)
    assert one.heading.text().endswith("…")


def test_what_a_person_folds_stays_folded_in_the_next_sitting(sections, tmp_path):
    file = tmp_path / "dock.ini"
    folds = Folds(sections, file)
    sections["Track"].heading.click()
    folds.propose("Movie", is_open=False)  # nobody decided: it folds
    assert not sections["Movie"].is_open
    folds.propose("Track", is_open=True)  # somebody did
    assert not sections["Track"].is_open
    kept = QSettings(str(file), QSettings.Format.IniFormat)
    assert kept.allKeys() == ["open/Track"]
    for one in sections.values():
        one.set_open(True)
    Folds(sections, file)
    assert sections["Movie"].is_open
    assert not sections["Track"].is_open


def test_the_movie_folds_with_the_first_prompt(open_dock, answered):
    _, dock = open_dock()
    movie = open_dock.docks[0].sections.movie
    assert movie.is_open
    dock.prompt_panel.new_points_button.click()
    dock.prompt_panel.points.add((0, 30, 40))
    answered(dock)
    assert not movie.is_open
    assert "movie" in movie.heading.text()
    movie.heading.click()
    dock.prompt_panel.points.add((0, 31, 41))
    answered(dock)
    assert movie.is_open  # a person wants to see it


def top_of(section, above):
    return section.heading.mapTo(above, QPoint(0, 0)).y()


def test_the_tool_stays_where_it_is_when_what_is_above_folds(laid_out, qtbot):
    movie, clicks, track = (Section(Panel(name), is_open=True) for name in "mct")
    for section, height in ((movie, 300), (clicks, 120), (track, 700)):
        section.panel.form.addRow(QWidget())
        section.panel.setFixedHeight(height)
    owner = laid_out(movie, clicks, track, height=300)
    column = owner.findChild(Column)
    column.ensureWidgetVisible(clicks.panel)
    place = top_of(clicks, column.viewport())
    assert place > 0
    column.keep_in_place(clicks, partial(movie.set_open, False))
    lowest = top_of(clicks, column.widget())
    for _ in range(2):
        assert top_of(clicks, column.viewport()) == min(place, lowest)
        qtbot.wait(20)

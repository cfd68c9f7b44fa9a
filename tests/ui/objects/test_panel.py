"""The table of objects: what it says, how it keeps its place, what it asks for."""

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLineEdit

from napari_sam2.errors import InputError
from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.session.book.state import BookState, FrameFlag, ObjectState
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.ui.layers.colors import object_color
from napari_sam2.ui.objects.model import (
    NO_MASK,
    SORT_ROLE,
    Column,
    Lock,
    ObjectRow,
    ObjectTableModel,
    object_rows,
    parent_from_text,
)
from napari_sam2.ui.objects.panel import ObjectPanel

FRAMES = 30
WHOLE = FrameSet.between(0, FRAMES - 1)
CONTROL = Qt.KeyboardModifier.ControlModifier


def made_state():
    prompt = FramePrompt(3, 4, points=(PointPrompt(1, 1),))
    return BookState(
        (
            ObjectState(3, name="mother", prompts=(prompt,), locked=FrameSet.of([9])),
            ObjectState(4, name="Anna", parent=3, is_hidden=True),
            ObjectState(12, locked=WHOLE),
        )
    )


def made_tables():
    """Object 3 is on frames 5 to 20 but for two, and doubtful on three; 4 never is."""
    tables = ScoreTables.empty((3, 4), FRAMES)
    tables.object_score[:] = 9
    tables.area[:] = 0
    tables.area[5:21, 0] = 200
    tables.area[10:12, 0] = 0
    tables.stability[[7, 9, 15], 0] = 0.5
    return tables


# --- What it says


def test_rows_tell_what_is_known_of_objects():
    rows = object_rows(made_state(), made_tables(), FRAMES)
    mother, daughter, new = rows.values()
    assert (mother.first, mother.last, mother.present) == (5, 20, 14)
    assert mother.frames_text == "5–20*"
    # Of its three bad frames one is locked.
    assert (mother.doubtful, mother.prompts, mother.lock) == (2, 1, Lock.SOME)
    assert mother.trust == round(100 * 11 / 14)
    assert (daughter.frames_text, daughter.trust, daughter.is_hidden) == (
        NO_MASK,  # looked for, and found nowhere
        None,
        True,
    )
    assert (new.title, new.lock, new.frames_text) == ("object 12", Lock.ALL, "–")
    assert next(iter(object_rows(made_state(), None, FRAMES).values())).first is None


def test_objects_are_found_by_name_and_id():
    row = ObjectRow(12, name="Anna")
    assert [row.matches(text) for text in ("", "ann", "12", "1")] == [1, 1, 1, 0]
    assert ObjectRow(12).matches("ject 12")


def test_a_mother_is_given_by_id_or_name():
    rows = tuple(object_rows(made_state(), None, FRAMES).values())
    assert parent_from_text(" 3 ", 12, rows) == 3
    assert parent_from_text("#4", 12, rows) == 4
    assert parent_from_text("Anna", 12, rows) == 4
    assert parent_from_text("", 12, rows) is None
    for wrong in ("5", "nobody", "-3"):
        with pytest.raises(InputError, match="is no object"):
            parent_from_text(wrong, 12, rows)
    with pytest.raises(InputError, match="object 4 descends from object 3"):
        parent_from_text("4", 3, rows)
    with pytest.raises(InputError, match="descends"):
        parent_from_text("12", 12, rows)


# --- The model


def test_the_model_keeps_qt_s_rules_and_tells_changes_one_by_one(qtmodeltester):
    model = ObjectTableModel()
    qtmodeltester.check(model)
    told = []
    model.rowsInserted.connect(lambda _p, *ends: told.append(("in", *ends)))
    model.rowsRemoved.connect(lambda _p, *ends: told.append(("out", *ends)))
    model.dataChanged.connect(lambda a, b: told.append(("new", a.row(), b.row())))
    model.modelReset.connect(lambda: told.append("reset"))

    def shown(*ids, name=""):
        told.clear()
        model.show_rows([ObjectRow(one, name if one == 5 else "") for one in ids])
        assert [row.object_id for row in model.rows] == list(ids)
        return list(told)

    assert shown(2, 5, 9) == [("in", 0, 2)]
    assert shown(2, 5, 9) == []
    assert shown(2, 5, 9, name="x") == [("new", 1, 1)]
    assert shown(1, 2, 3, 4, 5, 9, name="x") == [("in", 0, 0), ("in", 2, 3)]
    assert shown(2, 9, 10) == [("out", 2, 4), ("out", 0, 0), ("in", 2, 2)]
    assert shown() == [("out", 0, 2)]


def test_swatches_have_the_colour_of_the_masks(qtbot):
    model = ObjectTableModel()
    model.show_rows([ObjectRow(7)])
    icon = model.data(model.index(0, Column.NAME), Qt.ItemDataRole.DecorationRole)
    color = icon.pixmap(12, 12).toImage().pixelColor(6, 6)
    seen = [color.redF(), color.greenF(), color.blueF()]
    np.testing.assert_allclose(seen, object_color(7)[:3], atol=0.01)


# --- The panel


@pytest.fixture
def panel(qtbot):
    widget = ObjectPanel()
    qtbot.addWidget(widget)
    widget.show_movie(FRAMES)
    widget.show_state(made_state())
    widget.show_scores(made_tables())
    widget.resize(480, 400)
    with qtbot.waitExposed(widget):
        widget.show()
    qtbot.waitUntil(lambda: widget.model.rows[0].first == 5)
    return widget


def titles(panel):
    filtered = panel.filtered
    rows = range(filtered.rowCount())
    return [filtered.object_at(filtered.index(row, 0)).title for row in rows]


def click(qtbot, panel, object_id, column=Column.NAME, modifiers=None):
    index = panel.filtered.index_of(object_id, column)
    qtbot.mouseClick(
        panel.view.viewport(),
        Qt.MouseButton.LeftButton,
        modifiers or Qt.KeyboardModifier.NoModifier,
        panel.view.visualRect(index).center(),
    )


def test_rows_are_sorted_and_looked_for(panel):
    panel.view.sortByColumn(Column.NAME, Qt.SortOrder.AscendingOrder)
    assert titles(panel) == ["Anna", "mother", "object 12"]
    panel.view.sortByColumn(Column.ID, Qt.SortOrder.DescendingOrder)
    assert titles(panel) == ["object 12", "Anna", "mother"]
    panel.search_edit.setText("o")
    assert titles(panel) == ["object 12", "mother"]
    panel.review_button.click()
    assert titles(panel) == ["mother"]


def test_a_search_that_finds_nothing_says_so(panel, qtbot):
    qtbot.keyClicks(panel.search_edit, "zebra")
    assert panel.note.text().startswith("No object matches")
    panel.search_edit.clear()
    assert panel.note.isHidden()
    panel.show_state(BookState())
    assert panel.note.text().startswith("No objects yet")


def test_every_column_can_be_sorted_by(panel):
    for column in Column:
        index = panel.model.index(0, column)
        assert panel.model.data(index, SORT_ROLE) is not None
        panel.view.sortByColumn(column, Qt.SortOrder.AscendingOrder)
        assert len(titles(panel)) == 3


def test_choosing_asks_with_the_current_object_first(panel, qtbot):
    asked = []
    panel.selection_requested.connect(asked.append)
    click(qtbot, panel, 12)
    click(qtbot, panel, 3, modifiers=CONTROL)
    assert asked == [(12,), (3, 12)]
    asked.clear()
    panel.show_selected((4, 12))
    assert panel.view.chosen == (4, 12)
    assert asked == []


def test_the_selection_survives_changes_and_filters_without_asking(panel, qtbot):
    panel.show_selected((12,))
    with qtbot.assertNotEmitted(panel.selection_requested):
        state = made_state()
        panel.show_state(state.with_objects([ObjectState(1), ObjectState(5)]))
        assert panel.view.chosen == (12,)
        panel.search_edit.setText("mother")
        assert panel.view.chosen == ()
        panel.search_edit.setText("")
        assert panel.view.chosen == (12,)
        panel.show_state(state.without([12]))
        assert panel.view.chosen == ()
        panel.show_state(state)
        assert panel.view.chosen == (12,)


def test_names_are_asked_for_and_change_with_the_book(panel, qtbot):
    panel.show_selected((3,))
    index = panel.filtered.index_of(3)
    panel.view.edit(index)
    editor = panel.view.findChild(QLineEdit)
    assert editor.text() == "mother"
    editor.setText(" Eve ")
    with qtbot.waitSignal(panel.rename_requested) as signal:
        qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert signal.args == [3, "Eve"]
    assert titles(panel)[0] == "mother"
    state = made_state()
    panel.show_state(state.with_objects([replace(state[3], name="Eve")]))
    assert titles(panel)[0] == "Eve"


def test_a_mother_is_typed_into_the_table(panel, qtbot):
    panel.show_selected((12,))
    qtbot.keyClick(panel.view, Qt.Key.Key_P, CONTROL)
    editor = panel.view.findChild(QLineEdit)
    editor.setText("Anna")
    with qtbot.waitSignal(panel.parent_requested) as signal:
        qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert signal.args == [12, 4]
    with qtbot.waitSignal(panel.complained) as signal:
        panel.model.setData(panel.model.index(2, Column.PARENT), "nobody")
    assert "nobody is no object" in str(signal.args[0])


def test_eyes_and_locks_are_toggled_where_they_are(panel, qtbot):
    with qtbot.waitSignal(panel.hidden_requested) as signal:
        click(qtbot, panel, 4, Column.SHOWN)
    assert signal.args == [(4,), False]
    with qtbot.waitSignal(panel.flag_requested) as signal:
        click(qtbot, panel, 3, Column.LOCKED)
    assert signal.args == [FrameFlag.LOCKED, (3,), WHOLE, True]
    with qtbot.waitSignal(panel.flag_requested) as signal:
        click(qtbot, panel, 12, Column.LOCKED)
    assert signal.args == [FrameFlag.LOCKED, (12,), WHOLE, False]


def test_everything_is_done_by_keys(panel, qtbot):
    none = Qt.KeyboardModifier.NoModifier

    def asks(signal, key, modifiers=none):
        with qtbot.waitSignal(signal) as blocker:
            qtbot.keyClick(panel.view, key, modifiers)
        return blocker.args

    assert asks(panel.add_requested, Qt.Key.Key_N) == []
    panel.show_selected((12, 3))
    assert asks(panel.merge_requested, Qt.Key.Key_M, CONTROL) == [3, 12]
    assert asks(panel.hidden_requested, Qt.Key.Key_Space) == [(12, 3), True]
    locked = [FrameFlag.LOCKED, (12, 3), WHOLE, True]
    assert asks(panel.flag_requested, Qt.Key.Key_K) == locked
    assert asks(panel.remove_requested, Qt.Key.Key_Delete) == [(12, 3)]
    with qtbot.assertNotEmitted(panel.duplicate_requested):
        qtbot.keyClick(panel.view, Qt.Key.Key_D, CONTROL)
    panel.show_selected((4,))
    assert asks(panel.duplicate_requested, Qt.Key.Key_D, CONTROL) == [4]
    panel.show_selected(())
    with qtbot.assertNotEmitted(panel.remove_requested):
        qtbot.keyClick(panel.view, Qt.Key.Key_Delete)

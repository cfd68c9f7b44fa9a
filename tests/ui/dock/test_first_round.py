"""What a new user stumbled over first, as it was met: with mouse and keyboard."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from tests.engine.engine_steps import click
from tests.ui.hand import Hand

from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.ui.objects.model import NO_MASK, Column

PLACE = (30, 40)


def begin(opened):
    """Switch the tool on, on the frame that napari opened."""
    viewer, dock = opened
    dock.tool.set_on(True)
    return viewer, dock, Hand(viewer)


def test_the_first_key_is_about_the_frame_that_is_seen(open_dock, answered, qtbot):
    viewer, dock, hand = begin(open_dock())
    shown = viewer.dims.current_step[0]
    assert shown > 0
    hand.click(shown, *PLACE)
    answered(dock)
    hand.push("K")
    assert dock.conductor.book[1].locked == FrameSet.of([shown])
    qtbot.mouseClick(
        dock.track_panel.range_row.from_here_button, Qt.MouseButton.LeftButton
    )
    assert dock.track_panel.range_row.frames.first == shown


def test_an_object_that_was_not_found_shows_it(
    open_dock, answered, qtbot, toy, tmp_path
):
    from napari_sam2.model.checkpoints.checkpoint import load_model, save_model

    blind = load_model(toy)
    blind.mask_decoder.pred_obj_score_head.layers[-1].bias.data.fill_(-20.0)
    save_model(blind, tmp_path / "blind.safetensors")
    viewer, dock, hand = begin(open_dock(model=str(tmp_path / "blind.safetensors")))
    hand.click(viewer.dims.current_step[0], *PLACE)
    answered(dock)
    assert dock.status.text().startswith("Nothing found here for object 1")
    index = dock.object_panel.filtered.index_of(1, Column.FRAMES)
    qtbot.waitUntil(lambda: index.data() == NO_MASK)


def test_trust_does_not_jump_when_a_session_is_opened_again(
    open_dock, answered, trained, qtbot
):
    viewer, dock, hand = begin(open_dock(model=trained))
    hand.click(viewer.dims.current_step[0], *PLACE)
    answered(dock)
    dock.track_panel.range_row.set_range(4, 7)
    hand.push("G")
    answered(dock)
    trust = dock.conductor.tables.trust()
    dock.conductor.save()
    answered(dock)
    folder = dock.output_panel.folder
    dock.conductor.close()
    viewer, dock, hand = begin(open_dock(model=trained))
    dock.conductor.open_session(folder)
    answered(dock)
    shown = []
    dock.conductor.scores_changed.connect(shown.append)
    qtbot.waitUntil(lambda: bool(shown) or dock.conductor.tables is not None)
    np.testing.assert_allclose(dock.conductor.tables.trust(), trust)
    hand.click(0, 70, 90)  # which loads the model
    answered(dock)
    np.testing.assert_allclose(dock.conductor.tables.trust()[4:8, 0], trust[4:8, 0])


def test_the_key_during_a_live_repair_lets_the_run_wait(open_dock, answered, qtbot):
    viewer, dock, hand = begin(open_dock())
    hand.click(viewer.dims.current_step[0], *PLACE)
    answered(dock)
    hand.push("G")
    answered(dock)
    said = []

    def press_again():
        if dock.conductor.is_repairing_by_itself:
            hand.push("G")
            said.append(dock.status.text())

    dock.conductor.runs.started.connect(press_again)
    viewer.dims.set_point(0, 9)
    hand.click(9, 60, 60)
    qtbot.waitUntil(lambda: bool(said))
    answered(dock)
    assert "as soon as the repair has ended" in said[0]
    assert len(said) == 1
    assert not dock.conductor.book[1].stale


def test_a_click_while_tracking_and_the_run_are_taken_back_one_by_one(
    open_dock, answered, qtbot
):
    viewer, dock, hand = begin(open_dock())
    viewer.dims.set_point(0, 0)
    hand.click(0, *PLACE)
    answered(dock)

    def click_on_another(frame):
        if frame == 4 and len(dock.conductor.book.objects) == 1:
            hand.push("N")
            hand.click(4, 70, 90)

    dock.frame_cursor.moved.connect(click_on_another)
    hand.push("G")
    answered(dock)
    conductor = dock.conductor
    assert len(conductor.book.objects) == 2
    assert not any(state.stale for state in conductor.book.objects)  # tracked, too
    hand.push("Control-Z")
    answered(dock)
    assert [state.object_id for state in conductor.book.objects] == [1]
    hand.push("Control-Z")
    answered(dock)
    assert conductor.book[1].anchors == (0,)
    assert conductor.book[1].stale == FrameSet.between(1, 11)
    hand.push("Control-Z")
    answered(dock)
    assert not conductor.book.objects


@pytest.mark.parametrize("deed", ["sessions", "labels"])
def test_keys_work_after_whatever_was_used(open_dock, answered, qtbot, stack, deed):
    viewer, dock, hand = begin(open_dock())
    if deed == "sessions":
        dock.conductor.set_prompt(click(1, 2, PLACE))
        answered(dock)
        dock.conductor.save()
        answered(dock)
        folder = dock.output_panel.folder
        dock.conductor.close()
        viewer, dock = open_dock()
        hand = Hand(viewer)
        dock.conductor.open_session(folder)
    else:
        labels = np.zeros(stack.shape, np.uint16)
        labels[viewer.dims.current_step[0], 20:40, 30:50] = 1
        viewer.add_labels(labels, name="cells")
        qtbot.mouseClick(dock.prompt_sources.labels_button, Qt.MouseButton.LeftButton)
    answered(dock)
    assert len(dock.conductor.book.objects) == 1
    hand.push("K")
    (state,) = dock.conductor.book.objects
    assert dock.frame_cursor.frame_index in state.locked

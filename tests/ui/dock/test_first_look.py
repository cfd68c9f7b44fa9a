"""What the panels know when the dock opens, and what the line says of an answer."""

import pytest
from tests.engine.engine_steps import click

from napari_sam2.prompts import FramePrompt, MaskPrompt
from napari_sam2.session.planning.frame_set import FrameSet


def test_panels_begin_on_the_frame_that_is_shown(open_dock, stack):
    viewer, dock = open_dock()
    middle = viewer.dims.current_step[0]
    assert middle == (len(stack) - 1) // 2
    dock.timeline_panel.scope_combo.setCurrentIndex(
        dock.timeline_panel.scope_combo.findData("frame")
    )
    assert dock.timeline_panel.frames_meant == FrameSet.of([middle])
    dock.track_panel.range_row.from_here_button.click()
    assert dock.track_panel.range_row.frames.first == middle
    assert dock.conductor.editor.shown_frame == middle


def test_panels_begin_on_the_frame_that_is_shown_of_another_movie(open_dock, stack):
    viewer, dock = open_dock()
    viewer.dims.set_point(0, 7)
    other = viewer.add_image(stack[:, ::-1], name="other", axis_labels=("t", "y", "x"))
    dock.input_panel.layer_combo.choose(other)
    dock.track_panel.range_row.from_here_button.click()
    assert dock.track_panel.range_row.frames.first == 7
    assert dock.conductor.editor.shown_frame == 7


@pytest.fixture
def blind(toy, tmp_path):
    """Path of a network that finds nothing anywhere."""
    from napari_sam2.model.checkpoints.checkpoint import load_model, save_model

    model = load_model(toy)
    model.mask_decoder.pred_obj_score_head.layers[-1].bias.data.fill_(-20.0)
    path = tmp_path / "blind.safetensors"
    save_model(model, path)
    return str(path)


def test_a_click_that_finds_nothing_is_no_object_that_is_there(
    open_dock, answered, blind, stack
):
    _, dock = open_dock(model=blind)
    dock.conductor.set_prompt(click(1, 3, (30, 40)))
    answered(dock)
    assert dock.status.text().startswith("Nothing found here for object 1")
    # That it is not here is what was said.
    absent = MaskPrompt(stack[0] < 0)
    dock.conductor.set_prompt(FramePrompt(1, 5, mask=absent))
    answered(dock)
    assert "Nothing found" not in dock.status.text()

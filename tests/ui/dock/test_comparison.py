"""Comparing directions in the window: a layer, a sentence, a choice."""

import numpy as np
import pytest
from tests.engine.engine_steps import click

from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.ui.track.panel import ComparisonRow, verdict


def test_the_worst_frame_is_named():
    assert "frame 31 (J 0.42)" in verdict({30: 0.8, 31: 0.42, 32: 0.42})
    assert "agree on all 2 frames" in verdict({3: 1.0, 4: 1.0})


@pytest.fixture
def compared(open_dock, answered):
    """A dock that has compared the gap between frames 2 and 7 of an object."""
    viewer, dock = open_dock()
    dock.track_panel.repair_box.setChecked(False)
    prompts = [click(1, 2, (30, 40)), click(1, 7, (35, 45))]
    dock.conductor.set_prompts(prompts, "two clicks")
    answered(dock)
    viewer.dims.set_current_step(0, 4)
    dock.track_panel.compare_button.click()
    answered(dock)
    return viewer, dock


def test_a_way_is_chosen_and_undone(compared, open_dock, answered):
    viewer, dock = compared
    layer, row = open_dock.docks[0].comparison.layer, dock.track_panel.comparison_row
    assert "forward only" in layer.name
    assert not layer.editable
    assert isinstance(row, ComparisonRow)
    assert "disagree most on frame" in row.note.text()
    seen = np.stack([np.asarray(layer.data[frame]) for frame in range(12)])
    assert set(np.flatnonzero(seen.any(axis=(1, 2)))) <= {3, 4, 5, 6}
    row.go_button.click()
    assert 3 <= dock.frame_cursor.frame_index <= 6
    row.backward_button.click()
    assert row.isHidden()
    assert layer not in viewer.layers
    answered(dock)
    written = np.asarray(dock.masklets.layer.data[:]).any(axis=(1, 2))
    assert written[3:7].any()
    assert not dock.conductor.book[1].stale & FrameSet.between(3, 6)
    dock.conductor.undo()
    answered(dock)
    assert 4 in dock.conductor.book[1].stale


def test_a_comparison_ends_when_prompts_change(compared, open_dock, answered):
    viewer, dock = compared
    layer = open_dock.docks[0].comparison.layer
    dock.conductor.set_prompt(click(1, 5, (33, 43)))
    assert layer not in viewer.layers
    assert "does not hold any more" in dock.status.text()
    answered(dock)


def test_what_there_is_nothing_to_compare_of_is_said(open_dock, answered):
    _, dock = open_dock()
    dock.track_panel.compare_button.click()
    assert "Choose the object" in dock.status.text()
    dock.conductor.set_prompt(click(1, 2, (30, 40)))
    dock.track_panel.compare_button.click()
    answered(dock)
    assert "no two prompts around" in dock.status.text()
    assert dock.track_panel.comparison_row.isHidden()

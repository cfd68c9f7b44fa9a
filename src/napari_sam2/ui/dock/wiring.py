"""Which signal of the dock's parts goes to which slot of another."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari.utils.notifications import show_info

from napari_sam2.ui.dock.file_requests import FileRequests
from napari_sam2.ui.dock.prompt_saving import PromptSaving
from napari_sam2.ui.keys.sheet import KeySheet
from napari_sam2.ui.layers.colors import color_in

if TYPE_CHECKING:
    from napari_sam2.ui.dock.dock import TrackerDock


def connect_parts(dock: TrackerDock) -> None:
    """Connect panels, tool, views and conductor with each other."""
    _connect_prompts(dock)
    _connect_tracking(dock)
    _connect_objects(dock)
    _connect_time(dock)
    dock.input_panel.picture_requested.connect(dock.conductor.picture)
    dock.input_panel.look_changed.connect(dock.conductor.look_again)
    dock.output_panel.open_requested.connect(dock.conductor.open_session)
    FileRequests(dock)  # lives as long as the dock
    PromptSaving(dock)
    sheet = KeySheet(dock)
    dock.keys.key_sheet_requested.connect(sheet.show)


def _connect_prompts(dock: TrackerDock) -> None:
    conductor, prompts, marks = dock.conductor, dock.prompt_panel, dock.marks
    selection, tool, verbs = dock.selection, dock.tool, dock.verbs
    prompts.object_changed.connect(selection.go_on_with)
    for changed in (selection.current_changed, conductor.book_changed):
        changed.connect(partial(_show_color, dock))
    _show_color(dock)
    prompts.new_object_requested.connect(verbs.new_object)
    prompts.undo_requested.connect(conductor.undo)
    prompts.redo_requested.connect(conductor.redo)
    marks.changes_requested.connect(conductor.change_prompts)
    marks.told.connect(dock.status.say)
    tool.prompt_requested.connect(conductor.set_prompt)
    tool.object_selected.connect(selection.go_on_with)
    tool.hover_requested.connect(conductor.hover)
    tool.told.connect(dock.status.say)
    verbs.polarity_reset.connect(lambda: prompts.set_polarity(True))
    verbs.told.connect(dock.status.say)
    conductor.hovered.connect(tool.show_hover)
    dock.masklets.stroke_finished.connect(conductor.stroke)
    dock.masklets.frames_wanted.connect(conductor.read_frames)
    dock.masklets.told.connect(dock.status.say)
    conductor.scores_changed.connect(dock.masklets.show_scores)


def _show_color(dock: TrackerDock, _changed: object = None) -> None:
    """Show the colour of the object that the next click is about."""
    color = color_in(dock.conductor.book, dock.selection.current)
    dock.prompt_panel.show_object_color(color.tolist())


def _connect_tracking(dock: TrackerDock) -> None:
    conductor, track = dock.conductor, dock.track_panel
    track.pause_requested.connect(conductor.pause)
    track.resume_requested.connect(conductor.resume)
    track.live_repair_changed.connect(conductor.set_live_repair)
    track.range_changed.connect(dock.timeline_panel.show_range)
    track.long_run_ended.connect(dock.status.say)
    track.long_run_ended.connect(show_info)
    conductor.live_repair = track.live_repair
    conductor.warm_radius = dock.preferences.warm_radius
    dock.verbs.track_toggled.connect(track.toggle)
    conductor.told.connect(dock.status.say)
    conductor.paused.connect(track.show_paused)


def _connect_objects(dock: TrackerDock) -> None:
    conductor, objects = dock.conductor, dock.object_panel
    objects.add_requested.connect(dock.verbs.new_object)
    objects.remove_requested.connect(conductor.remove_objects)
    objects.merge_requested.connect(conductor.merge)
    objects.duplicate_requested.connect(conductor.duplicate)
    objects.rename_requested.connect(conductor.rename)
    objects.parent_requested.connect(conductor.set_parent)
    objects.hidden_requested.connect(conductor.set_hidden)
    objects.complained.connect(dock.status.complain)


def _connect_time(dock: TrackerDock) -> None:
    conductor, selection, verbs = dock.conductor, dock.selection, dock.verbs
    objects, timeline, plots = dock.object_panel, dock.timeline_panel, dock.plots_panel
    for shown in (objects.show_scores, timeline.show_scores, plots.show_scores):
        conductor.scores_changed.connect(shown)
    for chosen in (objects.show_selected, timeline.show_selected, plots.show_selected):
        selection.changed.connect(chosen)
    for view in (objects, timeline):
        view.selection_requested.connect(selection.choose)
        view.lock_requested.connect(verbs.lock)
        view.unlock_requested.connect(verbs.unlock)
    timeline.frame_requested.connect(dock.frame_cursor.go_to)
    timeline.next_doubtful_requested.connect(verbs.next_doubtful)
    timeline.review_requested.connect(verbs.review)
    timeline.unreview_requested.connect(verbs.unreview)
    timeline.range_requested.connect(dock.track_panel.range_row.set_range)
    plots.frame_requested.connect(dock.frame_cursor.go_to)

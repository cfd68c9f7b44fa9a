"""Which signal of the dock's parts goes to which slot of another."""

from __future__ import annotations

from functools import partial

from napari.utils.notifications import show_info
from qtpy.QtWidgets import QWidget

from napari_sam2.session.book.state import BookState
from napari_sam2.ui.dock.parts import TrackerParts
from napari_sam2.ui.dock.status import connect_status
from napari_sam2.ui.keys.sheet import KeySheet
from napari_sam2.ui.layers.colors import color_in
from napari_sam2.ui.widgets.remembered import Remembered
from napari_sam2.ui.widgets.status_line import Topic

OUTLINES = "outlines"
"""The name under which it is remembered how masks are shown."""


def connect_parts(parts: TrackerParts, dock: QWidget) -> None:
    """Connect panels, tool, views and conductor with each other."""
    connect_status(parts)
    _connect_book(parts)
    _connect_clicks(parts)
    _connect_points(parts)
    _connect_tracking(parts)
    _connect_objects(parts)
    _connect_outlines(parts)
    _connect_time(parts)
    _connect_family(parts)
    parts.input_panel.picture_requested.connect(parts.conductor.picture)
    parts.input_panel.look_changed.connect(parts.conductor.look_again)
    parts.input_panel.region.refused.connect(parts.status.complain)
    sheet = KeySheet(dock)
    parts.keys.key_sheet_requested.connect(sheet.show)
    parts.help_button.keys_requested.connect(sheet.show)


def _connect_book(parts: TrackerParts) -> None:
    """Show the book, and who is chosen in it, everywhere."""
    conductor, selection, prompts = parts.conductor, parts.selection, parts.prompt_panel
    for shown in (parts.masklets, parts.tool, parts.marks):
        conductor.book_changed.connect(shown.show_book)
    conductor.book_settled.connect(selection.keep_within)
    for panel in (parts.object_panel, parts.timeline_panel, parts.plots_panel):
        conductor.book_settled.connect(panel.show_state)

    def show_objects(book: BookState) -> None:
        parts.model_panel.show_objects(len(book.objects))
        color = color_in(book, selection.current)
        prompts.show_object_color(color.tolist())

    def show_current(object_id: int) -> None:
        prompts.show_object(object_id)
        prompts.show_object_color(color_in(conductor.book, object_id).tolist())
        parts.tool.show_selected(object_id)
        show_next_click()

    def show_next_click(_changed: object = None) -> None:
        parts.marks.show_selected(selection.current, is_positive=prompts.is_positive)

    conductor.book_settled.connect(show_objects)
    selection.current_changed.connect(show_current)
    prompts.polarity_changed.connect(show_next_click)
    show_current(selection.current)


def _connect_clicks(parts: TrackerParts) -> None:
    conductor, prompts, marks = parts.conductor, parts.prompt_panel, parts.marks
    selection, tool, verbs = parts.selection, parts.tool, parts.verbs
    prompts.object_changed.connect(selection.go_on_with)
    prompts.new_object_requested.connect(verbs.new_object)
    prompts.undo_requested.connect(conductor.undo)
    prompts.redo_requested.connect(conductor.redo)
    marks.changes_requested.connect(conductor.change_prompts)
    tool.object_selected.connect(selection.go_on_with)
    tool.hover_requested.connect(conductor.hover)
    verbs.polarity_reset.connect(partial(prompts.set_polarity, True))
    conductor.hovered.connect(tool.show_hover)
    conductor.frame_changed.connect(tool.show_frame)

    def point_out(object_id: int, frame_index: int) -> None:
        tool.await_outline(object_id, frame_index)
        conductor.read_frames([frame_index])

    verbs.pointed.connect(point_out)
    parts.masklets.stroke_finished.connect(conductor.stroke)
    parts.masklets.frames_wanted.connect(conductor.read_frames)
    conductor.frame_changed.connect(parts.masklets.show_frame)
    conductor.scores_changed.connect(parts.masklets.show_scores)
    for teller in (marks, tool, verbs, parts.masklets, conductor):
        teller.told.connect(lambda text: parts.status.say(text))
    conductor.busy.connect(lambda text: parts.status.say(text, Topic.WORK))


def _connect_points(parts: TrackerParts) -> None:
    """Let somebody click in a points layer, a new one or one that is there."""
    prompts, marks, status = parts.prompt_panel, parts.marks, parts.status

    def add_points() -> None:
        with status.complaining():
            prompts.points_combo.choose(marks.add_points())
            status.say("Click on a cell. N begins the next object.")

    def use_points() -> None:
        with status.complaining():
            if prompts.points is not None:
                marks.use_points(prompts.points)
            current = parts.selection.current
            marks.show_selected(current, is_positive=prompts.is_positive)

    prompts.new_points_requested.connect(add_points)
    prompts.points_changed.connect(use_points)


def _connect_tracking(parts: TrackerParts) -> None:
    conductor, track, bar = parts.conductor, parts.track_panel, parts.run_bar
    bar.pause_requested.connect(conductor.runs.pause)
    bar.resume_requested.connect(conductor.runs.resume)
    track.live_repair_changed.connect(conductor.set_live_repair)
    track.range_changed.connect(parts.timeline_panel.show_range)
    bar.long_run_ended.connect(lambda text: parts.status.say(text))
    bar.long_run_ended.connect(show_info)
    conductor.live_repair = track.live_repair
    conductor.warm_radius = parts.preferences.warm_radius
    conductor.runs.paused.connect(bar.show_paused)
    for other_masklets in (conductor.editor.turned, conductor.editor.forgot):
        other_masklets.connect(bar.forget_run)


def _connect_objects(parts: TrackerParts) -> None:
    conductor, objects = parts.conductor, parts.object_panel
    objects.add_requested.connect(parts.verbs.new_object)
    objects.remove_requested.connect(conductor.remove_objects)
    objects.merge_requested.connect(conductor.merge)
    objects.duplicate_requested.connect(conductor.duplicate)
    objects.rename_requested.connect(conductor.rename)
    objects.parent_requested.connect(conductor.set_parent)
    objects.hidden_requested.connect(conductor.set_hidden)
    objects.complained.connect(parts.status.complain)


def _connect_outlines(parts: TrackerParts) -> None:
    """Show masks filled or as outlines, as it was chosen last."""
    remembered, button = Remembered(), parts.object_panel.outline_button

    def outline(is_outlined: bool) -> None:
        parts.masklets.set_outlined(is_outlined)
        remembered.put(OUTLINES, is_outlined)

    button.setChecked(bool(remembered.get(OUTLINES)))
    parts.masklets.set_outlined(button.isChecked())
    button.toggled.connect(outline)


def _connect_time(parts: TrackerParts) -> None:
    conductor, selection, verbs = parts.conductor, parts.selection, parts.verbs
    objects, timeline = parts.object_panel, parts.timeline_panel
    plots, cursor = parts.plots_panel, parts.frame_cursor
    for panel in (objects, timeline, plots):
        conductor.scores_changed.connect(panel.show_scores)
        selection.changed.connect(panel.show_selected)
    for view in (objects, timeline):
        view.selection_requested.connect(selection.choose)
        view.flag_requested.connect(conductor.flag)
    for moved in (
        conductor.warm,
        parts.track_panel.range_row.show_frame,
        timeline.show_frame,
        plots.show_frame,
    ):
        cursor.moved.connect(moved)
    for panel in (timeline, plots):
        panel.frame_requested.connect(cursor.go_to)
    timeline.next_doubtful_requested.connect(verbs.next_doubtful)
    timeline.range_requested.connect(parts.track_panel.range_row.set_range)


def _connect_family(parts: TrackerParts) -> None:
    family, conductor, selection = (
        parts.lineage_panel,
        parts.conductor,
        parts.selection,
    )
    conductor.book_settled.connect(family.show_state)
    selection.changed.connect(family.show_selected)
    parts.frame_cursor.moved.connect(family.show_frame)
    family.object_requested.connect(selection.go_on_with)
    family.frame_requested.connect(parts.frame_cursor.go_to)
    family.cut_requested.connect(lambda one: conductor.set_parent(one, None))
    family.join_requested.connect(conductor.merge)
    family.parent_requested.connect(conductor.set_parent)
    family.cut_here_requested.connect(parts.verbs.cut_here)
    family.colors_requested.connect(parts.verbs.color_families)

"""The movie, model and folder that are chosen, and the masklets that belong to them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject

from napari_sam2.engine import Request, StoreReady
from napari_sam2.errors import FolderTakenError, NapariSam2Error
from napari_sam2.interfaces import TrackerSettings
from napari_sam2.ui.dock.parts import TrackerParts
from napari_sam2.ui.layers.placement import finest_level
from napari_sam2.ui.masklets.output_panel import free_folder
from napari_sam2.ui.widgets.panel import short_path
from napari_sam2.ui.widgets.timers import single_shot

FROM_NOW_ON = "From now on it is tracked so; for what is there, press Track once more."


class CurrentMovie(QObject):
    """Turns all views to the masklets of the movie, model and folder that are chosen.

    Each movie, model and kind of tiles has a folder of its own, each movie and model a
    way of its own in which objects are followed; both come back with them.
    """

    def __init__(self, parts: TrackerParts, parent: QObject) -> None:
        super().__init__(parent)
        self._parts = parts
        self._folders: dict[Hashable, Path] = {}
        self._owners: dict[Path, Hashable] = {}
        self._trackers: dict[tuple[Hashable, str], TrackerSettings] = {}
        self._key: Hashable = None
        self._free: set[Path] = set()
        parts.input_panel.input_changed.connect(self.follow)
        parts.input_panel.pixels_replaced.connect(self._on_replaced)
        parts.model_panel.model_changed.connect(self.follow)
        parts.model_panel.tiles_changed.connect(self.follow)
        parts.model_panel.hard_cases.ticked.connect(self._on_ticked)
        parts.output_panel.folder_changed.connect(self._on_folder_changed)
        parts.conductor.happened.connect(self._on_event)
        self._gone: list[Hashable] = []
        # Not at once: who offers layers turns to another one first.
        self._forgetting = single_shot(self, self._forget)
        parts.connections.add(parts.viewer.layers.events.removed, self._on_removed)

    def follow(self) -> None:
        """Go to the masklets of what is chosen now."""
        self._key = self._choices()
        layer = self._parts.input_panel.layer
        if layer is None or self._key is None:
            return
        how = self._trackers.get(self._place(), TrackerSettings())
        self._parts.model_panel.hard_cases.choose(how)
        known = self._folders.get(self._key)
        if known is None or self._owners.get(known, self._key) != self._key:
            below = self._parts.preferences.session_folder
            self._folders[self._key] = free_folder(str(layer.name), below)
            self._free.add(self._folders[self._key])
        self._parts.output_panel.show_folder(self._folders[self._key])
        self._turn_to_masklets()

    def use_folder(self, folder: Path, tracker: TrackerSettings) -> None:
        """Let the masklets of what is chosen now lie in a folder; tell nobody.

        They are followed as they were.
        """
        self._key = self._choices()
        self._folders[self._key] = folder
        self._trackers[self._place()] = tracker
        self._parts.model_panel.hard_cases.choose(tracker)
        self._parts.output_panel.show_folder(folder)

    def makes_way(self, error: Exception) -> str | None:
        """Take another folder where one that we chose was taken meanwhile.

        Another window, or another program, may have begun a session of the same name.

        Returns
        -------
        str or None
            What is to be said of it, which may be nothing; None if the error stays.
        """
        if not isinstance(error, FolderTakenError) or error.folder not in self._free:
            return None
        if error.folder != self._folders.get(self._key):
            return ""  # what was asked for at the same time
        del self._folders[self._key]
        self.follow()
        there = self._folders[self._key].name
        return f"{error.folder.name} was taken by another window: masks go to {there}."

    def show(self, request: Request) -> None:
        """Let all views be about a movie."""
        parts, axes = self._parts, request.image.axes
        layer = parts.input_panel.layer
        if layer is None:
            return
        parts.object_panel.show_movie(axes.frame_count)
        parts.timeline_panel.show_movie(axes.frame_count)
        parts.track_panel.range_row.show_frame_count(axes.frame_count)
        parts.plots_panel.show_movie(axes.frame_count, request.image.calibration)
        parts.lineage_panel.show_movie(axes.frame_count)
        parts.tool.attach(layer, axes)
        parts.marks.show_on(layer, axes)

    def _on_event(self, event: object) -> None:
        """Note whose masklets lie in a folder: it is offered to no other movie."""
        if isinstance(event, StoreReady):
            asked = event.request
            self._owners[asked.folder] = asked.choices_key
            self._free.discard(asked.folder)

    def _on_ticked(self) -> None:
        """Follow objects of this movie, with this model, as it was ticked."""
        parts = self._parts
        self._trackers[self._place()] = parts.model_panel.hard_cases.chosen
        if parts.conductor.book.objects:
            parts.status.say(FROM_NOW_ON)

    def _place(self) -> tuple[Hashable, str]:
        layer = self._parts.input_panel.layer
        layer_id = None if layer is None else layer.unique_id
        return layer_id, self._parts.model_panel.model

    def _on_folder_changed(self) -> None:
        self._folders[self._key] = self._parts.output_panel.folder
        self._turn_to_masklets()

    def _on_removed(self, event: Any) -> None:
        self._gone.append(event.value.unique_id)
        self._forgetting.start(0)

    def _forget(self) -> None:
        """Let go of movies whose layers were deleted: they do not come back."""
        parts, gone, self._gone = self._parts, self._gone, []
        for layer_id in gone:
            parts.input_panel.forget_layer(layer_id)
            parts.marks.leave(layer_id)
            for place in [one for one in self._trackers if one[0] == layer_id]:
                del self._trackers[place]
            self._let_go(parts.conductor.forget_layer(layer_id))

    def _let_go(self, gone: Iterable[Request]) -> None:
        for request in gone:
            self._parts.masklets.forget(request)
            self._folders.pop(request.choices_key, None)

    def _on_replaced(self) -> None:
        """Let go of what was tracked in the picture that the layer held before."""
        parts, layer = self._parts, self._parts.input_panel.layer
        if layer is None:
            return
        now = id(finest_level(layer))
        gone = parts.conductor.forget_layer(layer.unique_id, now)
        written = [one.folder for one in gone if one.folder in self._owners]
        self._let_go(gone)
        if written:
            where = ", ".join(map(short_path, written))
            clicks = ", with the same clicks" if parts.conductor.book.objects else ""
            parts.status.say(
                f"{layer.name} is another picture now{clicks}. Masks of the one before "
                f"stay in {where}"
            )

    def _choices(self) -> Hashable:
        """Return what decides which masklets are shown, besides their folder."""
        try:
            return self._parts.request().choices_key
        except NapariSam2Error:
            return None

    def _turn_to_masklets(self) -> None:
        """Go on with the session of what is chosen now."""
        parts = self._parts
        with parts.status.complaining():
            request = parts.request()
            self.show(request)
            parts.conductor.editor.turn_to(request)
            parts.frame_cursor.tell()

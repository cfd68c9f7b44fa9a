"""Lets the worker look for everything, shows what it found, and takes it in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_sam2.engine import Request
from napari_sam2.engine.events import Event, MasksFound, ObjectsFound
from napari_sam2.engine.jobs import Job, Priority
from napari_sam2.errors import InputError, NapariSam2Error
from napari_sam2.prompts import FramePrompt, MaskPrompt
from napari_sam2.session.book.intake import Intake, gathered, intake_of
from napari_sam2.texts import counted
from napari_sam2.ui.automatic.panel import AutomaticPanel
from napari_sam2.ui.controller.conductor import Conductor
from napari_sam2.ui.tool.preview import ToolPreview

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from napari.viewer import Viewer

LOOK = "look for everything"
"""Key of the job: a newer look takes the place of a waiting one."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What is looked at: the movie's layer, what the panels say, frame, object."""

    layer: Image
    request: Request
    frame_index: int
    object_id: int


class Finder(QObject):
    """Does what the panel *Everything* asks for.

    Parameters
    ----------
    shown
        Returns what is looked at; raises `InputError` if there is no movie.
    """

    told = Signal(str)
    failed = Signal(object)
    found = Signal()
    """The objects of the movie were taken in: they are to be tracked."""
    proposed = Signal(object)
    """Divisions among them, a tuple of `ProposedDivision`."""

    def __init__(
        self,
        viewer: Viewer,
        panel: AutomaticPanel,
        conductor: Conductor,
        shown: Callable[[], Shown],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._panel, self._conductor, self._shown = panel, conductor, shown
        self._preview = ToolPreview(viewer)
        self._viewer = viewer
        self._active: Layer | None = None
        self._at: Shown | None = None
        self._found: MasksFound | None = None
        self._job: Job | None = None
        panel.look_requested.connect(self.look)
        panel.similar_requested.connect(self.look_for_similar)
        panel.likeness_changed.connect(self._show_again)
        panel.take_requested.connect(self.take)
        panel.clear_requested.connect(self.clear)
        panel.movie_requested.connect(self.search)
        panel.stop_requested.connect(self.stop)

    def look(self) -> None:
        """Show masks of all on this frame that nobody follows."""
        try:
            shown, options = self._shown(), self._panel.mask_options
        except NapariSam2Error as error:
            self.failed.emit(error)
            return
        find = partial(
            self._conductor.engine.search.masks,
            shown.request,
            shown.frame_index,
            options,
        )
        self._submit(shown, find)

    def look_for_similar(self) -> None:
        """Show masks on this frame that are like the chosen object."""
        try:
            shown, options = self._shown(), self._panel.mask_options
            state = self._conductor.book.get(shown.object_id)
            if state is None:
                raise InputError("Choose the object that you want more of")
        except NapariSam2Error as error:
            self.failed.emit(error)
            return
        find = partial(
            self._conductor.engine.search.similar,
            shown.request,
            state,
            shown.frame_index,
            options,
        )
        self._submit(shown, find)

    def _submit(self, shown: Shown, find: Callable[[], Iterator[Event]]) -> None:
        hear = self._conductor.editor.hearing()

        def deliver(event: object) -> None:
            if isinstance(event, MasksFound):
                self._show(shown, event)
            else:
                hear(event)

        self._conductor.editor.submit(find, deliver, key=LOOK)

    def take(self) -> None:
        """Make objects of the masks that are shown."""
        if self._found is not None:
            labels = self._alike(self._found)
            self.clear()
            self._take_masks(labels, np.unique(labels[labels > 0]).tolist())

    def _take_masks(self, labels: np.ndarray, numbers: Sequence[int]) -> None:
        """Make objects of some masks of the frame that was looked at."""
        if self._at is None:
            return
        frame_index = self._at.frame_index
        prompts = [
            FramePrompt(number, frame_index, mask=MaskPrompt(labels == number))
            for number in numbers
        ]
        taken = self._conductor.book.object_ids
        self._take(intake_of(gathered(prompts), "everything on a frame", taken))

    def clear(self) -> None:
        """Show no masks any more."""
        self._found = None
        self._preview.close()
        if self._active is not None and self._active in self._viewer.layers:
            self._viewer.layers.selection.active = self._active
        self._active = None
        self._panel.show_count(None)

    def search(self) -> None:
        """Find the objects of the movie, and take them in."""
        try:
            shown, options = self._shown(), self._panel.masklet_options
        except NapariSam2Error as error:
            self.failed.emit(error)
            return
        find = partial(self._conductor.engine.search.objects, shown.request, options)
        hear = self._conductor.editor.hearing()

        def deliver(event: object) -> None:
            if isinstance(event, ObjectsFound):
                source = "everything in the movie"
                taken = self._conductor.book.object_ids
                intake = intake_of(event.objects, source, taken)
                self._take(intake)
                self.found.emit()
                ids = intake.renumbered
                self.proposed.emit(
                    tuple(one.renumbered(ids) for one in event.proposals)
                )
            else:
                hear(event)

        self.clear()
        self._panel.set_searching(searching=True)
        self._job = Job(
            find, deliver, self.failed.emit, self._on_over, priority=Priority.TRACK
        )
        self._conductor.worker.submit(self._job)

    def stop(self) -> None:
        """End the search; nothing is taken in."""
        if self._job is not None:
            self._job.cancel()

    def close(self) -> None:
        """Let go of what is shown."""
        self.stop()
        self._preview.close()

    def _show(self, shown: Shown, found: MasksFound) -> None:
        self._found, self._at = found, shown
        self._show_again()
        layer = self._preview.layer
        if layer is not None and self._on_pressed not in layer.mouse_drag_callbacks:
            # In front of the tool: a click takes a mask, and is no prompt.
            self._active = self._viewer.layers.selection.active
            self._viewer.layers.selection.active = layer
            layer.mouse_drag_callbacks.append(self._on_pressed)

    def _show_again(self) -> None:
        """Show, and count, what is alike enough of what was found."""
        shown, found = self._at, self._found
        if shown is None or found is None:
            return
        labels = self._alike(found)
        axes = shown.request.image.axes
        self._preview.show_mask(shown.layer, axes, found.frame_index, labels)
        count = len(np.unique(labels[labels > 0]))
        self._panel.show_count(count)
        self.told.emit(f"{counted(count, 'mask')} on frame {found.frame_index}.")

    def _alike(self, found: MasksFound) -> np.ndarray:
        """Return ``(Y, X)`` uint16 labels of the masks that are alike enough."""
        labels: np.ndarray = found.labels.astype(np.uint16)
        least = self._panel.likeness.value
        alike = sum(one >= least for one in found.likeness)
        return np.where(labels <= alike, labels, 0) if found.likeness else labels

    def _on_pressed(self, layer: Labels, event: Any) -> None:
        """Take the mask that was clicked on."""
        found, shown = self._found, self._at
        if found is None or shown is None or event.button != 1:
            return
        place = layer.world_to_data(event.position)
        if shown.request.image.axes.frame_at(place) != found.frame_index:
            return
        y, x = (round(value) for value in place[-2:])
        labels = self._alike(found)
        is_inside = 0 <= y < labels.shape[0] and 0 <= x < labels.shape[1]
        number = int(labels[y, x]) if is_inside else 0
        if number:
            self._found = replace(
                found, labels=np.where(found.labels == number, 0, found.labels)
            )
            self._show_again()
            self._take_masks(labels, [number])

    def _take(self, intake: Intake) -> None:
        if not intake.objects:
            self.failed.emit(InputError("There is nothing to take"))
            return
        self._conductor.take_in(intake)
        self.told.emit(intake.sentence)

    def _on_over(self, is_done: bool) -> None:
        self._job = None
        self._panel.set_searching(searching=False)
        if not is_done:
            self.told.emit("The search was stopped; nothing was taken in.")

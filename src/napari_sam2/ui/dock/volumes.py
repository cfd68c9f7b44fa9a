"""*Track volume*: stacks over time, tracked by a program beside the window."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari.layers import Labels, Points
from qtpy.QtCore import QObject

from napari_sam2.batch.models import ModelOptions
from napari_sam2.engine import Said
from napari_sam2.engine.jobs import Job
from napari_sam2.engine.runs.volumes import (
    VolumeOrder,
    VolumeRun,
    VolumeStep,
    VolumeThere,
    WholeStack,
)
from napari_sam2.errors import InputError, NapariSam2Error
from napari_sam2.io.label_store.volume import VolumeLabels
from napari_sam2.io.movies.calibration import unit_name
from napari_sam2.io.ome_zarr.volume_axes import PlaneAxis
from napari_sam2.io.prompts.stacks import VolumePrompts
from napari_sam2.ui.contributions.reader_layers import volume_layer
from napari_sam2.ui.controller.worker import Worker
from napari_sam2.ui.dock.parts import TrackerParts
from napari_sam2.ui.layers.stacks_in_layer import StacksInLayer
from napari_sam2.ui.prompts.from_stacks import labels_in_stack, points_in_stacks
from napari_sam2.ui.widgets.panel import short_path
from napari_sam2.ui.widgets.section import Section

if TYPE_CHECKING:
    from napari.layers import Image

REFRESH_S = 1.0
"""Labels that grow are drawn anew so often at most."""
MARK = "napari-sam2 volume"
"""Key in the metadata of the labels' layer."""


class VolumeTracking(QObject):
    """Runs what the section *Track volume* asks for, and shows the labels as they grow.

    Parameters
    ----------
    section
        Shown where the movie has stacks over time.
    """

    def __init__(self, parts: TrackerParts, section: Section, parent: QObject) -> None:
        super().__init__(parent)
        self._parts, self._section = parts, section
        self.worker = Worker(self)
        self.layer: Labels | None = None
        self._run: VolumeRun | None = None
        self._folder = Path()
        self._movie: Image | None = None
        self._refreshed = 0.0
        parts.volume_panel.track_requested.connect(self.track)
        parts.volume_panel.stop_requested.connect(self.stop)
        parts.input_panel.image_changed.connect(self._show_section)
        self._show_section()

    @property
    def is_running(self) -> bool:
        """Whether a program runs, or is about to."""
        return self._run is not None

    def track(self) -> None:
        """Track all planes from the chosen points or labels."""
        if self.is_running:
            return
        try:
            order = self.order()
        except NapariSam2Error as error:
            self._parts.status.complain(error)
            return
        self._run = run = VolumeRun(order)
        self._parts.volume_panel.set_running(running=True)
        complain = self._parts.status.complain
        self.worker.submit(Job(run.steps, self._on_step, complain, self._on_over))

    def stop(self) -> None:
        """Let the program commit what is in hand, and end."""
        if self._run is not None:
            self._run.end()
            self._parts.status.say("Stopping: what is tracked stays …")

    def close(self) -> None:
        """End what runs, in order."""
        if self._run is not None:
            self._run.end()
        self.worker.close()

    # --- What is asked for

    def order(self) -> VolumeOrder:
        """Return what is to be tracked, as the panels say now.

        Raises
        ------
        InputError
            If movie or prompts are not what can be tracked.
        """
        parts = self._parts
        request, layer = parts.request(), parts.volume_panel.layer
        budget = request.budget
        image = parts.input_panel.layer
        assert image is not None, "a request is about a movie"
        axes = request.image.axes
        if axes.frame_axis != axes.stack_axes()[0]:
            raise InputError("Frames run along z: choose time in Movie, Frames along")
        place = image, axes, parts.viewer.dims.point
        prompts: Callable[[], VolumePrompts | WholeStack]
        if isinstance(layer, Points):
            clicked = points_in_stacks(layer, *place)
            prompts = partial(_as_it_is, clicked)
        else:
            read = labels_in_stack(layer, *place)
            prompts = partial(read, parts.volume_panel.is_whole)
        self._movie, path = image, image.source.path
        return VolumeOrder(
            request.image,
            _planes(image, axes.stack_axes()[1]),
            None if path is None else Path(path),
            prompts,
            ModelOptions(
                model=request.model,
                device=request.device,
                precision=request.precision,
                memory_bytes=None if budget is None else budget.total_bytes,
            ),
            parts.track_panel.direction,
            parts.output_panel.folder,
        )

    def _show_section(self) -> None:
        try:
            has_stacks = self._parts.input_panel.axes().has_stacks
        except InputError:
            has_stacks = False
        self._section.setVisible(has_stacks)

    # --- What comes back

    def _on_step(self, event: object) -> None:
        match event:
            case Said(text):
                self._parts.status.say(text)
            case VolumeThere(path, name):
                self._folder = path
                self._show_labels(VolumeLabels.open(path, name, "r"))
            case VolumeStep(position, total):
                self._parts.volume_panel.show_progress(position, total)
                if time.monotonic() - self._refreshed >= REFRESH_S:
                    self._refresh()

    def _show_labels(self, volume: VolumeLabels) -> None:
        """Show labels that are being made; those of an earlier run of the same go."""
        viewer, key = self._parts.viewer, str(volume.path)
        for layer in [one for one in viewer.layers if one.metadata.get(MARK) == key]:
            viewer.layers.remove(layer)
        growing = StacksInLayer(volume.read_so_far, volume.shape, volume.array.dtype)
        array, shown, _ = volume_layer(volume, growing)
        shown["metadata"] = {MARK: key}
        if (movie := self._movie) is not None:
            # Where napari has the movie, whatever its file says of units.
            shown |= {"name": f"{movie.name} volume", "scale": movie.scale}
            shown |= {"translate": movie.translate, "units": movie.units}
            shown["axis_labels"] = movie.axis_labels
        self.layer = Labels(array, **shown, multiscale=False)
        self.layer.editable = False
        viewer.add_layer(self.layer)

    def _refresh(self) -> None:
        if self.layer is not None and self.layer in self._parts.viewer.layers:
            self.layer.refresh()
        self._refreshed = time.monotonic()

    def _on_over(self, is_done: bool) -> None:
        run, self._run = self._run, None
        self._parts.volume_panel.set_running(running=False)
        self._refresh()
        if run is not None and run.is_ending:
            self._parts.status.say("Stopped. Track volume goes on from there.")
        elif is_done:
            where = short_path(self._folder)
            self._parts.status.say(f"Done. The labels of all stacks are in {where}")


def _as_it_is(prompts: VolumePrompts) -> VolumePrompts:
    return prompts


def _planes(layer: Image, along_z: int) -> PlaneAxis:
    unit = unit_name(str(layer.units[along_z]))
    scale, start = float(layer.scale[along_z]), float(layer.translate[along_z])
    return PlaneAxis(layer.data.shape[along_z], scale, start, unit)

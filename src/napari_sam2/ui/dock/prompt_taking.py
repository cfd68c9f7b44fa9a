"""Taking objects in from shapes, labels and files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_sam2.engine.jobs import Job
from napari_sam2.engine.movie.axes import LayerAxes
from napari_sam2.errors import InputError, NapariSam2Error
from napari_sam2.session.book.intake import Intake
from napari_sam2.ui.prompts.from_files import file_to_prompts
from napari_sam2.ui.prompts.from_labels import (
    anchor_frames,
    labels_to_prompts,
    picture_labels,
)
from napari_sam2.ui.prompts.from_shapes import read_outlines, shapes_to_prompts

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_sam2.ui.dock.dock import TrackerDock

NO_MOVIE = "There is no movie: open one before its prompts"


class PromptTaking(QObject):
    """Answers what the panel of prompt sources asks for.

    Parameters
    ----------
    dock
        Whose panel, movie and book.
    """

    def __init__(self, dock: TrackerDock) -> None:
        super().__init__(dock)
        self._dock = dock
        sources = dock.prompt_sources
        sources.shapes_requested.connect(self._on_shapes_requested)
        sources.labels_requested.connect(self._on_labels_requested)
        sources.file_requested.connect(self._on_file_requested)

    def _on_shapes_requested(self) -> None:
        dock = self._dock
        try:
            image, axes = self._movie()
            shapes = dock.prompt_sources.shapes
            outlines = read_outlines(shapes, image, dock.viewer.dims.point)
            source = f"shapes of {shapes.name}"
            taken = self._taken()
            self._take(shapes_to_prompts(outlines, axes, source=source, taken=taken))
        except NapariSam2Error as error:
            dock.status.complain(error)

    def _on_labels_requested(self) -> None:
        dock, sources = self._dock, self._dock.prompt_sources
        try:
            image, axes = self._movie()
            here = dock.viewer.dims.point
            picture = picture_labels(sources.labels, image, axes, here)
        except NapariSam2Error as error:
            dock.status.complain(error)
            return
        first, count = dock.frame_cursor.frame_index, axes.frame_count
        frames = anchor_frames(first, count, sources.every_nth)
        taken = self._taken()
        self._ask(lambda: _once(lambda: labels_to_prompts(picture, frames, taken)))

    def _on_file_requested(self, path: str) -> None:
        try:
            _, axes = self._movie()
        except NapariSam2Error as error:
            self._dock.status.complain(error)
            return
        frame, taken = self._dock.frame_cursor.frame_index, self._taken()
        self._ask(
            lambda: _once(
                lambda: file_to_prompts(path, axes, frame_index=frame, taken=taken)
            )
        )

    def _ask(self, steps: Callable[[], Iterator[Intake]]) -> None:
        """Let the worker read; its files are no matter of the window."""
        job = Job(steps, self._take, self._dock.status.complain)
        self._dock.conductor.worker.submit(job)

    def _take(self, intake: object) -> None:
        if isinstance(intake, Intake):
            self._dock.conductor.take_in(intake)
            self._dock.status.say(intake.sentence)

    def _movie(self) -> tuple[Image, LayerAxes]:
        image = self._dock.input_panel.layer
        if image is None:
            raise InputError(NO_MOVIE)
        return image, self._dock.input_panel.axes()

    def _taken(self) -> Sequence[int]:
        return [thing.object_id for thing in self._dock.conductor.book.objects]


def _once(read: Callable[[], Intake]) -> Iterator[Intake]:
    yield read()

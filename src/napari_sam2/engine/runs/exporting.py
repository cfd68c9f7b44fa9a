"""An export that the window asked for: stopped, and asked how far it is, meanwhile."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event

import numpy as np

from napari_sam2.engine.movie.image_input import ImageInput
from napari_sam2.errors import NapariSam2Error
from napari_sam2.io.exports.formats import export
from napari_sam2.io.exports.masklets import MaskletMovie, open_masklets
from napari_sam2.io.ome_zarr.metadata import LabelledObject
from napari_sam2.session.book.state import BookState


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """What is exported.

    Attributes
    ----------
    folder, name
        Label group on disk.
    format_name
        A key of `io.exports.formats.FORMATS`.
    image
        The movie, for mean intensities; None to leave them out.
    """

    folder: Path
    name: str
    book: BookState
    format_name: str
    path: Path
    image: ImageInput | None = None


class ExportStoppedError(NapariSam2Error):
    """Somebody stopped it; nothing of it is left."""


class ExportRun:
    """Writes masklets while others go on; `run` has a thread of its own.

    Attributes
    ----------
    frame_index, frame_count
        The frame that was read last, of how many; some formats read all of them twice.
    """

    def __init__(self, order: ExportOrder) -> None:
        self.order = order
        self.frame_index = 0
        self.frame_count = 0
        self._is_stopped = Event()

    def stop(self) -> None:
        """End it before the next frame."""
        self._is_stopped.set()

    def run(self) -> Path:
        """Write the file, and return its path.

        Raises
        ------
        ExportStoppedError
            If `stop` was called.
        InputError, OutputError
            If the format cannot hold the masklets, or the disk refuses.
        """
        order = self.order
        masklets = open_masklets(order.folder, order.name)
        self.frame_count = masklets.frame_count
        with ExitStack() as opened:
            if order.image is not None:
                masklets = _with_image(masklets, order.image, opened)
            told = replace(
                masklets,
                objects=_objects(order.book),
                read=partial(self._read, masklets),
            )
            return export(told, order.path, order.format_name)

    def _read(
        self, masklets: MaskletMovie, frame_index: int, *plane: int
    ) -> np.ndarray:
        if self._is_stopped.is_set():
            raise ExportStoppedError("The export was stopped; nothing was written.")
        self.frame_index = frame_index
        return masklets.read(frame_index, *plane)


def _with_image(
    masklets: MaskletMovie, image: ImageInput, opened: ExitStack
) -> MaskletMovie:
    frames = opened.enter_context(closing(image.open()))

    def read(frame_index: int) -> np.ndarray:
        return np.moveaxis(frames.read_raw(frame_index), 0, -1)

    return replace(masklets, image=read)


def _objects(book: BookState) -> tuple[LabelledObject, ...]:
    return tuple(
        LabelledObject(state.object_id, state.name, state.parent)
        for state in book.objects
    )

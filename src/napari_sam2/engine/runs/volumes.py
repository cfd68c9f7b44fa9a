"""Stacks over time that the window asked for: the command line tracks them beside it.

What the window shows becomes a folder with the prompts and a plan, and, unless a file
holds it as it is shown, a copy of the movie. The folder is named after what is in it:
who asks for the same once more goes on with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tifffile

from napari_sam2.batch.job import FrameOptions
from napari_sam2.batch.models import ModelOptions
from napari_sam2.batch.plan.plan import BatchPlan
from napari_sam2.batch.prompting.policies import SamePrompts
from napari_sam2.batch.report.lines import Ended, Progressed, read_line
from napari_sam2.engine.events import Said
from napari_sam2.engine.movie.image_input import ImageInput
from napari_sam2.engine.runs.program import ERRORS, Program
from napari_sam2.errors import InputError, NapariSam2Error, OutputError
from napari_sam2.io.label_store.store import DEFAULT_NAME, OmeZarrLabelStore
from napari_sam2.io.movies.frame_sources import open_frames
from napari_sam2.io.ome_zarr.embedded_image import embed_image, holds_image
from napari_sam2.io.ome_zarr.volume_axes import PlaneAxis
from napari_sam2.io.prompts.files import put_document
from napari_sam2.io.prompts.stacks import VolumePrompts, document_of_stacks
from napari_sam2.io.storage import storage_errors
from napari_sam2.session.planning.plan import Direction, Mode

STORE, PLAN, REPORT = "masklets.zarr", "plan.json", "report"
PROMPTS, LABELS, MASKS = "prompts.json", "labels.tif", "masks"


@dataclass(frozen=True, slots=True, eq=False)
class WholeStack:
    """The labels of all planes of one time point: nothing is sought along z.

    Attributes
    ----------
    frame
        The time point.
    labels
        ``(Z, Y, X)`` unsigned.
    """

    frame: int
    labels: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class VolumeOrder:
    """What is to be tracked.

    Attributes
    ----------
    image
        The movie; its layer has time and z.
    opened_from
        The file that the layer was opened from, if any.
    prompts
        Reads them, in the worker.
    folder
        Beside it the folder of the run is made, named after it.
    """

    image: ImageInput
    planes: PlaneAxis
    opened_from: Path | None
    prompts: Callable[[], VolumePrompts | WholeStack]
    model: ModelOptions
    direction: Direction
    folder: Path


@dataclass(frozen=True, slots=True)
class VolumeStep:
    """How many steps of how many are done."""

    position: int
    total: int


@dataclass(frozen=True, slots=True)
class VolumeThere:
    """The labels are on disk, and grow there.

    Attributes
    ----------
    path, name
        OME-Zarr, and the label group in it.
    """

    path: Path
    name: str


class VolumeRun:
    """One run beside the window; `steps` are taken in the worker."""

    def __init__(self, order: VolumeOrder) -> None:
        self._order = order
        self._program: Program | None = None
        self.is_ending = False

    def end(self) -> None:
        """Let it commit what is in hand, and end; what was done is gone on with."""
        self.is_ending = True
        if self._program is not None:
            self._program.end()

    def steps(self) -> Iterator[Said | VolumeStep | VolumeThere | None]:
        """Track, and tell how far it is.

        Raises
        ------
        InputError, ModelError, OutputError
            As the command line does.
        """
        order = self._order
        yield Said("Writing down what is to be tracked …")
        folder = prepare(order, lambda: self.is_ending)
        if folder is None:
            return
        store = folder / STORE
        report = ("--report", str(folder / REPORT))
        self._program = Program(["run", str(folder / PLAN), "--watched", *report])
        if self.is_ending:
            self._program.end()
        yield Said("Tracking beside the window: go on working.")
        is_there = False
        for text in self._program.lines():
            line = read_line(text)
            if not is_there and OmeZarrLabelStore.is_ours(store, DEFAULT_NAME):
                is_there = True
                yield VolumeThere(store, DEFAULT_NAME)
            if isinstance(line, Progressed):
                yield VolumeStep(line.progress.position, line.progress.total)
            elif isinstance(line, Ended) and line.outcome.error:
                raise ERRORS.get(line.outcome.exit_code, OutputError)(
                    line.outcome.error
                )
            else:
                yield None


class _StoppedError(NapariSam2Error):
    """Somebody stopped it before it had begun."""


def prepare(order: VolumeOrder, is_ending: Callable[[], bool]) -> Path | None:
    """Write prompts, plan and, where needed, the movie; None if it is to end.

    Returns
    -------
    Path
        The folder: that of an earlier run, where the same was asked for.

    Raises
    ------
    InputError, OutputError
        If there are no prompts, or they cannot be written.
    """
    prompts = order.prompts()
    is_file = order.opened_from is not None and holds(order.opened_from, order)
    key = _key(order, prompts, order.opened_from if is_file else None)
    folder = order.folder.with_name(f"{order.folder.stem}-volume-{key}")
    with storage_errors(folder, "write down what is to be tracked"):
        folder.mkdir(parents=True, exist_ok=True)
        at = _put_prompts(folder, prompts)
        movie = folder / STORE
        if is_file and order.opened_from is not None:
            movie = order.opened_from
        elif not holds_image(movie):
            try:
                _copy_movie(order, movie, is_ending)
            except _StoppedError:
                return None
        plan = BatchPlan(
            movies=(str(movie),),
            prompts=at,
            out=str(folder / STORE).replace("{", "{{").replace("}", "}}"),
            frame_options=_frame_options(order.image),
            model_options=order.model,
            mode=Mode.TZYX,
            direction=order.direction,
        )
        (folder / PLAN).write_text(plan.to_json(), encoding="utf-8")
    return folder


def holds(path: Path, order: VolumeOrder) -> bool:
    """Return whether the command line reads a file as the movie that is shown."""
    image = order.image
    if len(image.channels) != 1 or image.axes.channel_axis is not None:
        return False
    try:
        unmeasured = ((0.0, 1.0),)
        with closing(open_frames(path, t=0, contrast_limits=unmeasured)) as stack:
            layout = stack.layout
            shape = (layout.length("T"), layout.frame_count, *layout.frame_shape)
            is_grey = layout.frame_axis == "Z" and len(layout.channels) == 1
    except InputError:
        return False
    return is_grey and shape == _shape(order)


def _shape(order: VolumeOrder) -> tuple[int, int, int, int]:
    axes = order.image.axes.on_plane(0)
    return axes.frame_count, order.planes.count, *axes.frame_shape


def _frame_options(image: ImageInput) -> FrameOptions:
    """Return how intensities are shown; several channels are copied as they look."""
    if len(image.channels) != 1:
        return FrameOptions()
    look = image.channels[0].look
    return FrameOptions(
        contrast_limits=(look.limits,), gamma=look.gamma, invert=look.invert
    )


def _planes(order: VolumeOrder) -> Iterator[np.ndarray]:
    """Yield all planes, those of the first time point first."""
    axes, is_grey = order.image.axes, len(order.image.channels) == 1
    with ExitStack() as opened:
        sources = [
            opened.enter_context(
                closing(replace(order.image, axes=axes.on_plane(plane)).open())
            )
            for plane in range(order.planes.count)
        ]
        for frame_index in range(sources[0].frame_count):
            for one in sources:
                yield (
                    one.read_raw(frame_index)[0] if is_grey else one.read(frame_index)
                )


def _copy_movie(order: VolumeOrder, path: Path, is_ending: Callable[[], bool]) -> None:
    def planes() -> Iterator[np.ndarray]:
        for plane in _planes(order):
            if is_ending():
                raise _StoppedError("stopped while the movie was copied")
            yield plane

    embed_image(
        path,
        planes(),
        frame_count=_shape(order)[0],
        calibration=order.image.calibration,
        name=order.image.name,
        planes=order.planes,
    )


def _put_prompts(folder: Path, prompts: VolumePrompts | WholeStack) -> SamePrompts:
    if isinstance(prompts, WholeStack):
        path = folder / LABELS
        metadata = {"axes": "ZYX"}
        tifffile.imwrite(
            path, prompts.labels, metadata=metadata, photometric="minisblack"
        )
        return SamePrompts(path=path, frame=prompts.frame)
    path = folder / PROMPTS
    put_document(path, *document_of_stacks(prompts, MASKS))
    return SamePrompts(path=path)


def _key(
    order: VolumeOrder, prompts: VolumePrompts | WholeStack, file: Path | None
) -> str:
    """Return a short hash of all that decides the result."""
    said = hashlib.sha256()
    if isinstance(prompts, WholeStack):
        said.update(str(prompts.frame).encode() + prompts.labels.tobytes())
    else:
        document, masks = document_of_stacks(prompts, MASKS)
        said.update(document.model_dump_json().encode())
        for mask in masks.values():
            said.update(np.packbits(mask).tobytes())
    facts = (order.model, order.direction, _frame_options(order.image), _shape(order))
    said.update(repr((*facts, file)).encode())
    if file is None:  # the first and the last plane tell one layer from another
        axes, last = order.image.axes, order.planes.count - 1
        for plane, at in ((0, 0), (last, -1)):
            frames = replace(order.image, axes=axes.on_plane(plane)).open()
            with closing(frames):
                said.update(frames.read(range(frames.frame_count)[at]).tobytes())
    return said.hexdigest()[:8]

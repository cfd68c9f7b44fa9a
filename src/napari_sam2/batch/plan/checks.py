"""What a plan will take, and what of it would be refused: asked before anything starts.

Nothing here imports torch, reads a frame, or writes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_sam2.batch.job import TrackJob
from napari_sam2.batch.plan.plan import PlannedMovie
from napari_sam2.batch.plan.speed import Speed
from napari_sam2.batch.volumes.request import read_request
from napari_sam2.errors import UNFORESEEN, NapariSam2Error, OutputError, in_our_words
from napari_sam2.io.movies.frame_sources import StackFrames, open_frames
from napari_sam2.model.checkpoints.notes import CONFIG_NOTE, read_notes
from napari_sam2.model.checkpoints.weights_file import trained_image_size, weights_path
from napari_sam2.model.config import CONFIGS, LOGIT_STRIDE
from napari_sam2.prompts import PromptedObject
from napari_sam2.session.planning.plan import Mode

LABEL_SHARE = 0.1
"""Of the bytes of a label image (uint16), what it takes compressed; mostly less."""
LOGIT_SHARE = 0.15
"""Of the float32 logits of an object, what is stored: the surroundings of its mask."""
FILES_A_FRAME = 3
FILES_A_RUN, BYTES_A_RUN = 80, 2**18
"""A run's own files, and those of a frame, at most, as stores are written now."""
MOVIE_SLACK = 1.05
CACHED_BYTES = 2**28
"""Frames, embeddings and buffers beside the network and what objects take."""

State = Literal["new", "goes on", "is added to", "complete", "refused"]


@dataclass(frozen=True, slots=True)
class MovieCheck:
    """What one movie will take.

    Attributes
    ----------
    frames, frame_shape, objects
        How many, and ``(Y, X)``; 0 where it cannot be read.
    disk_bytes, disk_files
        Estimates of what is written.
    memory_bytes
        Estimate of what tracking takes; None where the network is not known.
    reason
        Why it is refused, and the remedy.
    folder
        Where it is written.
    """

    title: str
    state: State
    frames: int = 0
    frame_shape: tuple[int, int] = (0, 0)
    objects: int = 0
    disk_bytes: int = 0
    disk_files: int = 0
    memory_bytes: int | None = None
    reason: str = ""
    folder: Path = Path()

    def seconds_at(self, speed: Speed | None) -> float | None:
        """Return about how long it takes, where that is known."""
        if speed is None or not self.frames or self.state == "complete":
            return None
        return speed.seconds(self.frames, self.objects)


def check_movie(planned: PlannedMovie) -> MovieCheck:
    """Look at a movie and its prompts; whatever is wrong is said, not raised."""
    job = planned.job
    try:
        return _checked(planned, job)
    except NapariSam2Error as error:
        return MovieCheck(planned.title, "refused", reason=str(error), folder=job.out)
    except UNFORESEEN as error:
        reason = str(in_our_words(error))
        return MovieCheck(planned.title, "refused", reason=reason, folder=job.out)


def _checked(planned: PlannedMovie, job: TrackJob) -> MovieCheck:
    weights_path(job.model_options.model)
    if job.mode is Mode.TZYX:
        return _checked_volume(planned, job)
    with closing(open_unmapped(job)) as source:
        unknown = planned.is_to_be_prompted
        objects = [] if unknown else job.read_prompts(source).objects
        frames, shape = source.frame_count, source.frame_shape
        pixels = _bytes_of(source) if job.embed_image else 0
    size, files = _disk(job, frames, shape, len(objects))
    return MovieCheck(
        planned.title,
        _state(job),
        frames,
        shape,
        len(objects),
        size + pixels,
        files + (frames if job.embed_image else 0),
        _memory(job, objects),
        folder=job.out,
    )


def _checked_volume(planned: PlannedMovie, job: TrackJob) -> MovieCheck:
    """Look at a movie of stacks: each plane is written twice, tracked and settled."""
    request = read_request(job)
    (frames, planes), shape = request.counts, request.movie.shape[2:]
    size, files = _disk(job, frames, shape, len(request.objects))
    return MovieCheck(
        planned.title,
        _state(job),
        frames * planes,
        shape,
        len(request.objects),
        2 * planes * size,
        2 * planes * files,
        _memory(job, list(request.objects)),
        folder=job.out,
    )


def open_unmapped(job: TrackJob) -> StackFrames:
    """Open a job's movie without measuring its intensities: no frame is read."""
    options = job.frame_options
    if options.mapping is None:
        given = {"contrast_limits": ((0.0, 1.0),), "percentiles": None}
        options = options.model_copy(update=given)
    return open_frames(job.movie, **dict(options))


def _bytes_of(source: StackFrames) -> int:
    height, width = source.frame_shape
    channels = len(source.layout.channels)
    each = source.dtype.itemsize if channels == 1 else 1
    return int(source.frame_count * height * width * channels * each * MOVIE_SLACK)


def _state(job: TrackJob) -> State:
    if not job.output.exists:
        return "new"
    is_complete = job.is_complete
    if job.merge is not None:
        return "is added to"
    return "complete" if is_complete else "goes on"


def _disk(
    job: TrackJob, frames: int, shape: tuple[int, int], objects: int
) -> tuple[int, int]:
    first, stop = job.frames or (None, None)
    written = len(range(frames)[first:stop])
    side = (_image_size(job) or 1024) // LOGIT_STRIDE
    labels = 2 * shape[0] * shape[1] * LABEL_SHARE
    logits = 4 * side * side * objects * LOGIT_SHARE
    size = BYTES_A_RUN + int(written * (labels + logits))
    return size, FILES_A_RUN + FILES_A_FRAME * written


def _image_size(job: TrackJob) -> int | None:
    options = job.model_options
    return options.image_size or trained_image_size(options.model)


def _memory(job: TrackJob, objects: list[PromptedObject]) -> int | None:
    """Estimate what a movie takes while it is tracked; its length does not matter.

    Raises
    ------
    InputError
        If that is more than was allowed.
    """
    from napari_sam2.tracking.memory.budget import bytes_per_object, bytes_remembered

    name = job.model_options.model
    path = weights_path(name)
    config = CONFIGS.get(read_notes(path).get(CONFIG_NOTE, name))
    size = _image_size(job)
    if config is None or size is None:
        return None
    budget = job.model_options.budget(config)
    if budget is not None:
        budget.check(len(objects))
        return budget.total_bytes
    remembered = bytes_remembered(config, size) * len(objects)
    return (
        path.stat().st_size
        + remembered
        + bytes_per_object(config, size, 2)
        + CACHED_BYTES
    )


def refuse_without_space(checks: Iterable[MovieCheck]) -> None:
    """Refuse a batch whose results do not fit on the disks that they go to.

    Raises
    ------
    OutputError
        Naming the folder, what is needed and what is free.
    """
    needed: dict[int, tuple[Path, int, int]] = {}
    for check in checks:
        if check.state not in ("new", "is added to"):
            continue
        folder = existing(check.folder)
        device = folder.stat().st_dev
        _, size, files = needed.get(device, (folder, 0, 0))
        needed[device] = folder, size + check.disk_bytes, files + check.disk_files
    for folder, size, files in needed.values():
        free = shutil.disk_usage(folder).free
        if size > free:
            raise OutputError(
                f"{folder}: the masklets take about {size / 1e9:.3g} GB, but "
                f"{free / 1e9:.3g} GB are free; free some space, choose another place "
                "for them, or plan fewer movies"
            )
        nodes = _free_inodes(folder)
        if nodes is not None and files > nodes:
            raise OutputError(
                f"{folder}: the masklets take about {files} files, but its file system "
                f"holds {nodes} more; choose another place, or plan fewer movies"
            )


def existing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that is there."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _free_inodes(folder: Path) -> int | None:
    """Return how many files the file system can still hold; None if it has no limit."""
    if not hasattr(os, "statvfs"):
        return None
    status = os.statvfs(folder)
    return status.f_favail if status.f_files else None

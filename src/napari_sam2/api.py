"""The public Python API: what scripts and notebooks use; it stays as it is.

``import napari_sam2 as ns`` gives all of it, and loads each part when it is asked for.
Coordinates are ``(y, x)`` in pixels, counted as numpy counts; frames begin with 0;
label images are ``(T, Y, X)`` of unsigned integers in which 0 is background.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

from napari_sam2.batch.evaluation import EvaluationJob, run_evaluation
from napari_sam2.batch.job import FrameOptions, TrackJob, TrackReport
from napari_sam2.batch.lazy_stack import track_stack
from napari_sam2.batch.models import ModelOptions
from napari_sam2.batch.plan.making import plan_like
from napari_sam2.batch.plan.plan import BatchPlan, read_plan
from napari_sam2.batch.report.report import BatchReport
from napari_sam2.batch.running.batch import run_plan
from napari_sam2.batch.running.schedulers import Scheduler
from napari_sam2.batch.self_check.result import SelfCheck
from napari_sam2.batch.volumes.run import open_job
from napari_sam2.generators import WithResult
from napari_sam2.io.exports.masklets import MaskletMovie, open_masklets
from napari_sam2.io.label_store.store import DEFAULT_NAME
from napari_sam2.io.movies.frame_sources import FrameOptions as OpenOptions
from napari_sam2.io.movies.frame_sources import StackFrames, open_frames
from napari_sam2.io.prompts.files import read_prompts, write_prompts
from napari_sam2.metrics import MovieScore
from napari_sam2.prompts import (
    BoxPrompt,
    FramePrompt,
    MaskPrompt,
    PointPrompt,
    PromptedObject,
)

PathLike = str | os.PathLike[str]

__all__ = [
    "BatchPlan",
    "BatchReport",
    "BoxPrompt",
    "FrameOptions",
    "FramePrompt",
    "MaskPrompt",
    "MaskletMovie",
    "ModelOptions",
    "MovieScore",
    "PointPrompt",
    "PromptedObject",
    "SelfCheck",
    "StackFrames",
    "TrackReport",
    "evaluate",
    "open_movie",
    "plan_like",
    "read_masklets",
    "read_plan",
    "read_prompts",
    "run",
    "self_check",
    "track",
    "track_stack",
    "write_prompts",
]


def open_movie(source: Any, **options: Unpack[OpenOptions]) -> StackFrames:
    """Open a movie or a z-stack as frames that the model can see; `close` it at last.

    Parameters
    ----------
    source
        Path of a TIFF, a zarr or OME-Zarr, a folder of images, a video; or a numpy,
        dask, zarr or xarray array.
    **options
        ``axes``, ``channels``, ``z``, ``contrast_limits``, ``percentiles`` … as in
        `napari_sam2.io.movies.frame_sources.FrameOptions`.

    Returns
    -------
    StackFrames
        ``read(frame_index)`` gives ``(Y, X, 3)`` uint8, ``read_raw`` the channels as
        they are stored, ``(channels, Y, X)``; there are ``frame_count``,
        ``frame_shape``, ``calibration``.

    Raises
    ------
    InputError
        If the source cannot be read, or an option does not fit it.
    """
    return open_frames(source, **options)


def track(
    movie: PathLike, prompts: PathLike, out: PathLike, **options: Any
) -> TrackReport:
    """Track prompted objects through a movie into the labels of an OME-Zarr.

    Parameters
    ----------
    movie, prompts, out
        What to track in; a prompts file, a label image, or a table of points or
        shapes; the OME-Zarr to make, or to add labels to.
    **options
        Other fields of `napari_sam2.batch.job.TrackJob`: ``name``, ``prompt_frame``,
        ``frame_options``, ``model_options``, ``frames``, ``direction``, ``merge``,
        ``resume``, ``overwrite``, ``embed_image``, ``accept_movie``, ``sync``, and
        ``mode="tzyx"`` for stacks over time, whose labels are ``(T, Z, Y, X)``.

    Returns
    -------
    TrackReport
        Where the labels are, and what was computed.

    Raises
    ------
    InputError, ModelError, OutputError
        If one of them cannot be used; nothing was written then.
    """
    job = TrackJob(movie=Path(movie), prompts=Path(prompts), out=Path(out), **options)
    with open_job(job) as opened:
        for _ in opened.frames():
            pass
        return opened.report()


def run(
    plan: BatchPlan | PathLike,
    report: PathLike,
    *,
    scheduler: Scheduler | str | None = None,
    workers: int = 1,
) -> BatchReport:
    """Run a plan: what is complete is passed over, the rest is tracked.

    Parameters
    ----------
    plan
        The plan, or its file.
    report
        Folder of the report; the next run finds there what is complete.
    scheduler
        ``"local"``, the address of a dask scheduler, ``"slurm"``, ``"lsf"`` or
        ``"sge"`` (all need the extra ``cluster``); None runs movies here, one after the
        other. A script that says ``"local"`` needs ``if __name__ == "__main__":``.
    workers
        How many of them, where they are started.

    Returns
    -------
    BatchReport
        What came of each movie; one that failed stopped nobody.

    Raises
    ------
    InputError, OutputError
        If the plan as a whole cannot be run; nothing was started then.
    """
    known = plan if isinstance(plan, BatchPlan) else read_plan(Path(plan))
    if isinstance(scheduler, str):
        from napari_sam2.batch.running.cluster import OnWorkers

        scheduler = OnWorkers(scheduler, workers)
    return run_plan(known, Path(report), scheduler=scheduler)


def evaluate(
    labels: PathLike,
    truth: PathLike,
    *,
    objects: Sequence[int] | None = None,
    frames: tuple[int | None, int | None] | None = None,
    **options: Any,
) -> MovieScore:
    """Score masklets against a truth: overlap of areas (J) and of outlines (F), 0…1.

    Parameters
    ----------
    labels, truth
        Label movies ``(T, Y, X)``: masklets, or any label images. Masklets of stacks
        over time, ``(T, Z, Y, X)``, have J alone, of volumes.
    objects
        Ids of the truth to score; None for all.
    frames
        First frame, and the one after the last.
    **options
        Other fields of `napari_sam2.batch.evaluation.EvaluationJob`, such as ``match``.

    Raises
    ------
    InputError
        If a file cannot be read, or the movies do not fit each other.
    """
    chosen = None if objects is None else tuple(objects)
    return run_evaluation(
        EvaluationJob(
            labels=Path(labels),
            truth=Path(truth),
            objects=chosen,
            frames=frames,
            **options,
        )
    )


def self_check(
    masklets: PathLike, *, models: Sequence[str] = (), **options: Any
) -> SelfCheck:
    """Hide what was corrected in masklets, track to it, and say which model is enough.

    Parameters
    ----------
    masklets
        OME-Zarr that `track` or the window wrote; it stays as it is.
    models
        Names or files; all published ones on this machine if none is named. Nothing is
        ever downloaded.
    **options
        Other fields of `napari_sam2.batch.self_check.checking.SelfCheckJob`: ``name``,
        ``movie``, ``most_hidden``, ``device``.

    Returns
    -------
    SelfCheck
        J, F, switches, clicks, seconds and memory of each model, and ``recommended``.

    Raises
    ------
    InputError
        If too few masks are trusted: correct at least two frames.
    ModelError
        If a model that was named is not on this machine.
    """
    from napari_sam2.batch.self_check.checking import SelfCheckJob, run_self_check

    job = SelfCheckJob(Path(masklets), models=tuple(models), **options)
    return WithResult(run_self_check(job)).to_end()


def read_masklets(path: PathLike, name: str = DEFAULT_NAME) -> MaskletMovie:
    """Open masklets that `track`, `run` or the window wrote, for reading.

    Returns
    -------
    MaskletMovie
        ``read(frame_index)`` gives the ``(Y, X)`` label image, ``read(frame_index,
        plane)`` in stacks over time, which have ``planes``; ``objects``, ``scores``,
        ``calibration``. One label image is in memory at a time.

    Raises
    ------
    InputError
        If there are none of that name.
    """
    return open_masklets(Path(path), name)

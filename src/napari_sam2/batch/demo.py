"""The demonstration: simulate a movie, click on its cells, track, compare."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from napari_sam2.batch.job import TrackJob, TrackReport, open_run
from napari_sam2.batch.models import ModelOptions
from napari_sam2.batch.movie_files import write_movie_zarr
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.prompts.files import write_prompts
from napari_sam2.metrics import MovieScore, evaluate, last_frames_before_division
from napari_sam2.prompts import FramePrompt, PointPrompt, PromptedObject
from napari_sam2.session.session import FrameDone
from napari_sam2.synthetic import MovieConfig, SimulatedMovie
from napari_sam2.synthetic.clicks import clicks_inside

MOVIE_NAME = "movie.zarr"
PROMPTS_NAME = "prompts.json"


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demonstration made.

    Attributes
    ----------
    movie
        OME-Zarr that holds the movie and its masklets.
    report, score
        What was tracked, and how well.
    """

    movie: Path
    report: TrackReport
    score: MovieScore


def run_demo(
    config: MovieConfig, folder: Path, model: str
) -> Generator[FrameDone, None, DemoResult]:
    """Write a simulated movie and its clicks into a folder, and track them.

    Every cell of the first frame gets one click. A mother is scored until she divides.

    Yields
    ------
    FrameDone
        After each frame.

    Returns
    -------
    DemoResult
        Where the result lies, and how good it is.
    """
    from napari_sam2.model.checkpoints.weights_file import weights_path

    weights_path(model)  # an unknown model is told before anything is written
    simulated = SimulatedMovie(config)
    folder.mkdir(parents=True)
    movie, prompts = folder / MOVIE_NAME, folder / PROMPTS_NAME
    write_movie_zarr(simulated, movie)
    write_prompts(prompts, clicked_objects(simulated))
    job = TrackJob(
        movie=movie, prompts=prompts, out=movie, model_options=ModelOptions(model=model)
    )
    with open_run(job) as run:
        yield from run.frames()
        report = run.report()
    return DemoResult(movie, report, _score(simulated, movie))


def clicked_objects(movie: SimulatedMovie) -> list[PromptedObject]:
    """Return one click inside each object of a movie's first frame."""
    return [
        PromptedObject(
            object_id,
            (FramePrompt(object_id, 0, points=(PointPrompt(y, x),)),),
            name=f"cell {object_id}",
        )
        for object_id, (y, x) in clicks_inside(movie.labels(0)).items()
    ]


def free_folder(folder: Path) -> Path:
    """Return the folder, or the first free one of ``folder-2``, ``folder-3``, ...."""
    number, free = 1, folder
    while os.path.lexists(free):
        number += 1
        free = folder.with_name(f"{folder.name}-{number}")
    return free


def _score(simulated: SimulatedMovie, movie: Path) -> MovieScore:
    store = OmeZarrLabelStore.open(movie, mode="r")
    frames = range(simulated.frame_count)
    return evaluate(
        (simulated.labels(index) for index in frames),
        (store.read_labels(index) for index in frames),
        objects=list(clicks_inside(simulated.labels(0))),
        last_frames=last_frames_before_division(simulated.lineage),
    )

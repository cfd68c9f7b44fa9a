"""Movies that nobody prompted: their objects are found first, and kept."""

import pytest

from napari_sam2.batch.automatic import DiscoveryJob, find_objects
from napari_sam2.batch.plan.checks import check_movie
from napari_sam2.batch.plan.plan import BatchPlan, PlannedMovie, plan_of
from napari_sam2.batch.prompting.policies import AutomaticPrompts, policy_of
from napari_sam2.batch.running import movie_run
from napari_sam2.batch.running.movie_run import make_it_so
from napari_sam2.errors import InputError
from napari_sam2.io.prompts.files import read_prompts, write_prompts
from napari_sam2.tracking.automatic import discovery


def test_objects_are_found_once_and_then_tracked(files, job, movie, monkeypatch):
    plan = BatchPlan(
        movies=(str(files / "movie.tif"),),
        prompts=policy_of("automatic"),
        out=str(job.out.with_name("{stem}.zarr")),
        model_options=job.model_options,
        frames=(0, 3),
    )
    assert isinstance(plan.prompts, AutomaticPrompts)
    assert plan_of(plan.to_json(), "plan.json") == plan
    (planned,) = plan.planned()
    assert PlannedMovie.model_validate_json(planned.model_dump_json()) == planned
    assert check_movie(planned).state == "new"
    truth = {"frame_shape": movie.frame_shape, "frame_count": movie.frame_count}
    sought = []

    def find(asked):
        sought.append(asked)
        yield
        write_prompts(asked.prompts, read_prompts(files / "prompts.tif", **truth))

    monkeypatch.setattr(movie_run, "find_objects", find)
    assert make_it_so(planned, is_cancelled=lambda: True).state == "cancelled"
    done = make_it_so(planned)
    assert (done.state, done.objects) == ("done", 3)
    assert make_it_so(planned).state == "complete"
    assert len(sought) == 2
    assert sought[0].prompts.parent == planned.job.out.parent


@pytest.mark.parametrize("side", [None, 48, "auto", 4096])
def test_objects_are_looked_for_in_the_tiles_that_they_are_followed_in(
    job, side, monkeypatch
):
    """In tiles of a number of pixels only the tracker looked closely."""
    tiles = []

    def nothing(_source, predictor, _options, _frames):
        tiles.append(len(predictor.layout))
        raise InputError("nothing was found")

    monkeypatch.setattr(discovery, "Discovery", nothing)
    options = job.model_options.model_copy(update={"tiles": side})
    found = job.out.with_suffix(".json")
    asked = DiscoveryJob(movie=job.movie, prompts=found, model_options=options)
    with pytest.raises(InputError, match="nothing"):
        next(find_objects(asked))
    (count,) = tiles
    assert (count > 1) == (side == 48)

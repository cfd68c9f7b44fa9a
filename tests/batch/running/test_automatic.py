"""Movies that nobody prompted: their objects are found first, and kept."""

from napari_sam2.batch.plan.checks import check_movie
from napari_sam2.batch.plan.plan import BatchPlan, PlannedMovie, plan_of
from napari_sam2.batch.prompting.policies import AutomaticPrompts, policy_of
from napari_sam2.batch.running import movie_run
from napari_sam2.batch.running.movie_run import make_it_so
from napari_sam2.io.prompts.files import read_prompts, write_prompts


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

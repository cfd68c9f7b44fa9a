"""A whole run without a window: files in, masklets out, whatever happens between."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from tests.batch.trees import tree

from napari_sam2.batch.job import TrackJob, open_run
from napari_sam2.errors import InputError, OutputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.prompts.files import write_prompts
from napari_sam2.model.checkpoints.checkpoint import load_model, save_model
from napari_sam2.prompts import FramePrompt, MaskPrompt, PromptedObject
from napari_sam2.session.planning.plan import Direction, MergePolicy
from napari_sam2.tracking.postprocess import other_components

KILLED_RUN = """
import os, signal, sys
from napari_sam2.batch.job import TrackJob, open_run

job = TrackJob.model_validate_json(sys.argv[1])
with open_run(job) as run:
    for done in run.frames():
        if done.position == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
"""


def run(job):
    with open_run(job) as opened:
        for _ in opened.frames():
            pass
        return opened.report()


def elsewhere(job, name, **changes):
    return job.model_copy(update={"out": job.out.with_name(name), **changes})


def test_a_run_writes_masklets_scores_and_provenance(job, movie):
    report = run(job)
    assert report.frames_computed == movie.frame_count
    store = OmeZarrLabelStore.open(job.out, mode="r")
    assert store.array.shape == (movie.frame_count, *movie.frame_shape)
    truth = movie.labels(0)
    seen = store.read_labels(0)
    overlap = ((seen == truth) & (truth > 0)).sum() / (truth > 0).sum()
    assert overlap > 0.9, "the prompted frame shows the prompts"
    assert any(store.read_labels(index).any() for index in range(1, 20))
    assert store.provenance.model.endswith("toy.safetensors")
    assert store.provenance.frames["intensity"]["percentiles"] == [0.1, 99.9]
    scores = store.read_score_table("object_score")
    assert np.isfinite(scores).all()


def test_masks_in_one_piece_are_another_result_which_provenance_tells(job):
    run(elsewhere(job, "parts.zarr", frames=(0, 5)))
    options = job.model_options.model_copy(update={"one_component": True})
    whole = elsewhere(job, "parts.zarr", frames=(0, 5), model_options=options)
    with pytest.raises(OutputError, match="the settings"):
        run(whole.model_copy(update={"resume": True}))
    run(whole.model_copy(update={"out": job.out}))
    kept = OmeZarrLabelStore.open(job.out, mode="r").provenance.settings
    assert kept["one_component"] is True


def test_objects_that_are_too_small_are_counted_once(job, movie, tmp_path):
    """105 of 40 objects were counted: once a frame on which anybody is prompted."""
    objects = [
        PromptedObject(
            one,
            tuple(
                FramePrompt(one, frame, mask=MaskPrompt(movie.labels(frame) == one))
                for frame in (0, 4)
            ),
        )
        for one in (1, 2, 3)
    ]
    write_prompts(tmp_path / "two.json", objects)
    changes = {"prompts": tmp_path / "two.json", "frames": (0, 6)}
    with open_run(job.model_copy(update=changes)) as opened:
        for _ in opened.frames():
            pass
        opened.image_size = 16
        assert opened.prompted_frames == (0, 4)
        assert "3 of 3 objects are less" in opened.visibility_remark()


def test_frames_that_a_model_wants_padded_are_no_tiles(job, tmp_path):
    """They are gone on with, and no region either."""
    model = load_model(job.model_options.model)
    model.config = replace(model.config, frame_fit="pad")
    save_model(model, tmp_path / "padding.safetensors")
    options = {"model": str(tmp_path / "padding.safetensors")}
    options = job.model_options.model_copy(update=options)
    job = job.model_copy(update={"frames": (0, 3), "model_options": options})
    run(job)
    store = OmeZarrLabelStore.open(job.out, mode="r")
    assert (store.layout.shown, store.layout.region) == (store.array.shape[1:], None)
    assert "tiles" not in store.provenance.settings
    assert store.read_labels(1).any()
    assert run(job.model_copy(update={"resume": True})).frames_computed == 0


def test_hard_cases_are_gone_on_with_and_told_by_provenance(job):
    cases = ("stage-jumps", "coming-back")
    options = job.model_options.model_copy(update={"hard_cases": cases})
    job = job.model_copy(update={"frames": (0, 8), "model_options": options})
    whole = elsewhere(job, "whole.zarr")
    run(whole)
    with open_run(job) as opened:
        steps = opened.frames()
        for _ in range(5):
            next(steps)
        steps.close()
    again = job.model_copy(update={"resume": True})
    plain = options.model_copy(update={"hard_cases": ()})
    with pytest.raises(OutputError, match="the settings"):
        run(again.model_copy(update={"model_options": plain}))
    run(again)
    assert tree(job.out) == tree(whole.out)
    kept = OmeZarrLabelStore.open(job.out, mode="r").provenance.settings
    assert kept["hard_cases"] == ["stage-jumps", "coming-back"]
    tiled = options.model_copy(update={"tiles": 32})
    with pytest.raises(InputError, match="stage-jumps with tiles"):
        run(elsewhere(job, "tiled.zarr", model_options=tiled))


def test_one_component_is_followed_and_what_was_cut_off_is_evidence(job):
    options = job.model_options.model_copy(update={"one_component": True})
    run(job.model_copy(update={"frames": (0, 8), "model_options": options}))
    store = OmeZarrLabelStore.open(job.out, mode="r")
    evidence = store.read_division_evidence()
    is_cut = evidence.second_part > 0
    assert is_cut.any(), "the toy's masks come in pieces"
    frame, column = np.argwhere(is_cut)[0].tolist()
    ids, logits = store.read_logits(frame)
    mask = logits[ids.index(store.object_ids[column])] > 0
    _, before = store.read_logits(frame - 1)
    assert not other_components(mask[None] * 2.0 - 1, before[column][None]).any()
    assert np.isfinite(evidence.sister_y[frame, column])


def test_movies_without_end_are_refused_at_once(job, movie, tmp_path):
    """A header may claim any number of frames; nothing is made in proportion to it."""
    shape = (10**9, *movie.frame_shape)
    path = tmp_path / "endless.zarr"
    zarr.create_array(path, shape=shape, chunks=(1, *movie.frame_shape), dtype="u2")
    endless = job.model_copy(update={"movie": path, "frames": (0, 3)})
    with pytest.raises(OutputError, match=r"1,000,000,000 frames.*at most 4,000,000"):
        open_run(endless)
    assert not job.out.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_a_name_that_is_no_text_is_a_name(job, movie, tmp_path):
    frames = np.stack([movie.frame(index) for index in range(3)])
    np.save(tmp_path / "a.npy", frames)
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.npy"))
    (tmp_path / "a.npy").rename(path)
    run(job.model_copy(update={"movie": path, "frames": (0, 3)}))
    job = job.model_copy(update={"movie": path, "frames": (0, 3), "resume": True})
    assert run(job).frames_computed == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("direction", [Direction.FORWARD, Direction.BOTH])
def test_a_run_killed_at_80_percent_resumes_to_the_same_bytes(
    job, files, movie, direction
):
    job = elsewhere(job, "killed.zarr", direction=direction)
    if direction is Direction.BOTH:
        job = elsewhere(job, "killed.zarr", prompts=_clicks(job, movie))
    whole = elsewhere(job, "whole.zarr")
    run(whole)
    kill_at = int(0.8 * movie.frame_count)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_RUN, job.model_dump_json(), str(kill_at)],
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert OmeZarrLabelStore.open(job.out, mode="r").array.shape[0] == 100
    report = run(job.model_copy(update={"resume": True}))
    assert report.frames_computed <= 0.2 * movie.frame_count + 25 + 1
    assert tree(job.out) == tree(whole.out)


def _clicks(job, movie):
    """Prompts on two frames, so that both directions have something to do."""
    from napari_sam2.io.prompts.files import write_prompts
    from napari_sam2.prompts import FramePrompt, PointPrompt, PromptedObject
    from napari_sam2.synthetic.clicks import clicks_inside

    objects = [
        PromptedObject(
            object_id, (FramePrompt(object_id, 40, points=(PointPrompt(*click),)),)
        )
        for object_id, click in clicks_inside(movie.labels(40)).items()
    ]
    path = job.out.with_name("clicks.json")
    write_prompts(path, objects)
    return path


def test_resume_is_refused_when_the_prompts_changed(job, files, tmp_path):
    run(job.model_copy(update={"frames": (0, 3)}))
    changed = {"resume": True, "frames": (0, 3), "prompts": tmp_path / "other.json"}
    prompts = {"frame": 0, "points": [[30, 30]], "positive": [True]}
    changed["prompts"].write_text(
        json.dumps({"version": 1, "objects": [{"id": 1, "prompts": [prompts]}]})
    )
    with pytest.raises(OutputError, match="the prompts changed"):
        run(job.model_copy(update=changed))


def test_a_finished_run_is_not_computed_again(job):
    job = job.model_copy(update={"frames": (0, 3)})
    run(job)
    before = tree(job.out)
    report = run(job.model_copy(update={"resume": True}))
    assert report.frames_computed == 0
    assert tree(job.out) == before


def test_a_cancelled_run_whose_last_commit_fails_says_so(job, monkeypatch):
    def no_space(*_):
        raise OutputError("no space left")

    with open_run(job) as opened:
        steps = opened.frames()
        next(steps)
        monkeypatch.setattr(opened.store, "commit", no_space)
        with pytest.raises(OutputError, match="no space"):
            steps.close()


@pytest.mark.parametrize("other", [{"resume": True}, {"merge": MergePolicy.KEEP}])
def test_replacing_and_keeping_at_once_is_refused(job, other):
    with pytest.raises(InputError, match="--overwrite"):
        open_run(job.model_copy(update={"overwrite": True, **other}))


def test_prompts_that_reach_no_frame_of_the_range_are_refused(job):
    nowhere = {"prompt_frame": 9, "frames": (0, 5), "direction": Direction.FORWARD}
    with pytest.raises(InputError, match="0:5 in direction forward"):
        open_run(job.model_copy(update=nowhere))
    assert not job.out.exists()


def test_an_existing_label_group_is_refused_before_any_work(job):
    run(job.model_copy(update={"frames": (0, 2)}))
    with pytest.raises(OutputError, match="--resume"):
        run(job)


@pytest.mark.parametrize("policy", MergePolicy)
def test_objects_are_added_to_a_finished_group(job, tmp_path, policy):
    run(job.model_copy(update={"frames": (0, 6)}))
    before = OmeZarrLabelStore.open(job.out, mode="r").array[:]
    prompts = tmp_path / "more.json"
    box = {"frame": 0, "box": [0, 0, 40, 60]}
    prompts.write_text(
        json.dumps({"version": 1, "objects": [{"id": 90, "prompts": [box]}]})
    )
    run(job.model_copy(update={"merge": policy, "prompts": prompts}))
    after = OmeZarrLabelStore.open(job.out, mode="r").array[:]
    kept = before > 0
    if policy is MergePolicy.REPLACE:
        assert set(np.unique(after[kept])) <= {*np.unique(before[kept]), 90}
    else:
        np.testing.assert_array_equal(after[kept], before[kept])
    assert (after[6:] == 90).any()
    assert (after[0] == 90).any() == (policy is not MergePolicy.FILL)


def test_frames_outside_the_movie_are_refused(job):
    with pytest.raises(InputError, match="0:100"):
        run(job.model_copy(update={"frames": (90, 101)}))


def test_an_embedded_movie_is_what_the_labels_point_to(job, movie):
    import zarr

    run(job.model_copy(update={"embed_image": True, "frames": (0, 2)}))
    group = zarr.open_group(job.out, mode="r")
    assert group["0"].shape == (movie.frame_count, *movie.frame_shape)
    assert group["0"].dtype == movie.frame(1).dtype
    np.testing.assert_array_equal(group["0"][1], movie.frame(1))
    label = group["labels/masklets"].attrs["ome"]["image-label"]
    assert label["source"] == {"image": "../../"}


def test_a_run_killed_after_embedding_its_movie_can_be_resumed(job):
    job = job.model_copy(update={"embed_image": True, "frames": (0, 2), "resume": True})
    run(job)
    shutil.rmtree(job.out / "labels")
    run(job)
    assert (job.out / "labels/masklets/zarr.json").exists()


def test_a_job_survives_the_trip_through_json(job):
    assert TrackJob.model_validate_json(job.model_dump_json()) == job

"""Stacks over time from files to labels: whole, interrupted, gone on with, refused."""

import json
import shutil

import numpy as np
import pytest
import tifffile
import zarr
from tests.batch.trees import tree

from napari_sam2.batch.job import open_run
from napari_sam2.batch.volumes import run as volume_run
from napari_sam2.batch.volumes.run import open_job
from napari_sam2.errors import InputError, OutputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.label_store.verification import verify
from napari_sam2.io.label_store.volume import VolumeLabels
from napari_sam2.session.planning.plan import Direction, MergePolicy, Mode


def run(job):
    with open_job(job) as opened:
        for _ in opened.frames():
            pass
        return opened.report()


def changed(job, **changes):
    return job.model_copy(update=changes)


def labels_of(job):
    return zarr.open_array(job.out / "labels" / job.name / "0", mode="r")[:]


def test_labels_of_one_stack_are_followed_in_time_on_each_plane(
    volume_job, folder, truth
):
    prompts = folder / "sim" / "truth.tif"
    job = changed(volume_job, prompts=prompts, prompt_frame=1)
    report = run(job)
    found = labels_of(job)
    assert found.shape == truth.shape
    np.testing.assert_array_equal(found[1], truth[1])
    assert set(np.unique(found)) <= set(np.unique(truth[1]))
    assert found[0].any()
    assert found[3].any()
    assert report.frames_total == truth.shape[0] * truth.shape[1]
    store = VolumeLabels.open(job.out, job.name, "r")
    assert store.is_complete
    assert store.placed[0] == ("t", "z", "y", "x")
    np.testing.assert_allclose(store.placed[1].scale, (300, 2.6, 0.65, 0.65))
    assert store.placed[2] == ("second", *["micrometer"] * 3)
    assert store.provenance["settings"]["mode"] == "tzyx"
    (checked,) = verify(job.out)
    assert (checked.is_whole, checked.whole_frames) == (True, truth.shape[0])


def test_clicks_on_one_plane_go_along_z_and_then_in_time(tracked):
    out, steps = tracked
    positions = [position for position, _ in steps]
    assert positions == sorted(positions)
    assert steps[-1][0] == steps[-1][1]
    parts = out / "labels/masklets/napari-sam2/parts/labels"
    assert (parts / "t1").is_dir()
    assert any(parts.glob("z*"))
    names = VolumeLabels.open(out, "masklets", "r").objects
    assert [one.name for one in names] == ["cell 1", "cell 2"]


def test_what_was_interrupted_goes_on_to_the_same_bytes(
    volume_job, tracked, monkeypatch
):
    whole, steps = tracked
    for stop_at in (2, 9, steps[-1][1] - 3):
        with open_job(changed(volume_job, resume=True)) as opened:
            left = opened.frames()
            while next(left).position < stop_at:
                pass
            left.close()
    told = volume_run.settled

    def killed(planes, thin):
        yield next(told(planes, thin))
        raise KeyboardInterrupt

    monkeypatch.setattr(volume_run, "settled", killed)
    with pytest.raises(KeyboardInterrupt):
        run(changed(volume_job, resume=True))
    monkeypatch.undo()
    run(changed(volume_job, resume=True))
    assert tree(volume_job.out) == tree(whole)
    report = run(changed(volume_job, resume=True))
    assert report.frames_computed == 0
    assert tree(volume_job.out) == tree(whole)


def test_a_run_is_gone_on_with_only_by_its_own_request(tracked_job, folder, tmp_path):
    before = tree(tracked_job.out)
    with pytest.raises(OutputError, match="--resume"):
        open_job(tracked_job)
    document = json.loads((folder / "clicks.json").read_text())
    document["objects"].pop()
    other = tmp_path / "other.json"
    other.write_text(json.dumps(document))
    for change in ({"prompts": other}, {"direction": Direction.FORWARD}):
        with pytest.raises(OutputError, match="changed since this run was started"):
            run(changed(tracked_job, resume=True, **change))
    assert tree(tracked_job.out) == before
    run(changed(tracked_job, prompts=other, overwrite=True))
    assert labels_of(tracked_job).max() == 1


def test_only_frames_asked_for_are_written(volume_job, folder, truth):
    prompts = {"prompts": folder / "sim" / "truth.tif", "prompt_frame": 1}
    job = changed(volume_job, frames=(1, 3), **prompts)
    run(job)
    found = labels_of(job)
    assert not found[0].any()
    assert not found[3].any()
    np.testing.assert_array_equal(found[1], truth[1])
    nowhere = changed(job, frames=(0, 1), direction=Direction.FORWARD, overwrite=True)
    with pytest.raises(InputError, match="no prompt reaches frames 0:1"):
        open_job(nowhere)


def test_labels_beside_an_image_have_its_axes_and_levels(volume_job, folder, tmp_path):
    movie = tmp_path / "movie.zarr"
    shutil.copytree(folder / "movie.zarr", movie)
    truth = folder / "sim" / "truth.tif"
    job = changed(volume_job, movie=movie, out=movie, prompts=truth)
    run(job)
    image = zarr.open_group(movie, mode="r").attrs["ome"]["multiscales"][0]
    label = zarr.open_group(movie / "labels/masklets", mode="r").attrs["ome"]
    assert label["image-label"]["source"] == {"image": "../../"}
    entry = label["multiscales"][0]
    assert entry["axes"] == image["axes"]
    assert entry["datasets"] == image["datasets"]
    np.testing.assert_array_equal(labels_of(job)[0], tifffile.imread(truth)[0])


def test_an_embedded_movie_lies_beside_its_labels(volume_job, volume):
    run(changed(volume_job, embed_image=True, frames=(1, 2)))
    image = zarr.open_array(volume_job.out / "0", mode="r")
    np.testing.assert_array_equal(image[2, 3], volume.frame(2, 3))


def test_a_mother_ends_on_all_planes_where_a_daughter_begins(
    volume_job, folder, tmp_path
):
    document = json.loads((folder / "clicks.json").read_text())
    mother, daughter = document["objects"]
    daughter["prompts"][0]["frame"] = 3
    daughter["parent"] = mother["id"]
    path = tmp_path / "division.json"
    path.write_text(json.dumps(document))
    run(changed(volume_job, prompts=path))
    assert not (labels_of(volume_job)[3] == mother["id"]).any()
    known = VolumeLabels.open(volume_job.out, "masklets", "r").objects
    assert [one.parent for one in known] == [None, mother["id"]]
    mother["prompts"].append({"frame": 3, "z": 0, "points": [[3, 3]]})
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="a division ends the mother"):
        open_job(changed(volume_job, prompts=path, overwrite=True))


@pytest.mark.parametrize("shape", [(4, 48, 48), (1, 4, 48, 48), (4, 1, 48, 48)])
def test_movies_without_time_or_z_are_refused(volume_job, tmp_path, shape):
    axes = "TZYX" if len(shape) == 4 else "TYX"
    for letters in {axes, axes.replace("TY", "ZY")}:
        path = tmp_path / f"{letters}.tif"
        tifffile.imwrite(
            path,
            np.zeros(shape, np.uint8),
            metadata={"axes": letters},
            photometric="minisblack",
        )
        options = volume_job.frame_options.model_copy(update={"axes": letters})
        with pytest.raises(InputError, match="several time points of several z planes"):
            open_job(changed(volume_job, movie=path, frame_options=options))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"merge": MergePolicy.KEEP}, "--merge adds objects to masklets of single"),
        ({"t": 1}, "--t stays at one time point"),
    ],
)
def test_what_is_not_done_with_stacks_is_refused(volume_job, changes, words):
    if "t" in changes:
        options = volume_job.frame_options.model_copy(update=changes)
        changes = {"frame_options": options}
    with pytest.raises(InputError, match=words):
        open_job(changed(volume_job, **changes))
    assert not volume_job.out.exists()


def test_frames_and_stacks_are_told_apart(tracked_job, truth, tmp_path):
    tifffile.imwrite(tmp_path / "plane.tif", truth[0, 2])
    plane = tracked_job.frame_options.model_copy(update={"z": 2})
    flat = changed(tracked_job, mode=Mode.FRAMES, frame_options=plane, resume=True)
    with pytest.raises(OutputError, match="masklets of stacks over time"):
        open_run(changed(flat, prompts=tmp_path / "plane.tif"))
    with pytest.raises(OutputError, match="masklets of stacks over time"):
        OmeZarrLabelStore.open(tracked_job.out, mode="r")
    parts = tracked_job.out / "labels/masklets/napari-sam2/parts"
    with pytest.raises(OutputError, match="masklets of single frames"):
        VolumeLabels.open(parts, "t1", "r")


def test_damaged_labels_and_parts_are_named(tracked_job):
    group = tracked_job.out / "labels/masklets"
    (chunk,) = (group / "napari-sam2/parts/labels/t1/0/c").glob("2/0/0")
    chunk.write_bytes(b"x")
    (checked,) = verify(tracked_job.out)
    assert any("t1: " in str(fault) for fault in checked.faults)
    voted = sorted(path for path in (group / "0/c").rglob("*") if path.is_file())
    voted[0].write_bytes(b"x")
    (checked,) = verify(tracked_job.out)
    assert any("cannot be read" in str(fault) for fault in checked.faults)


def test_labels_that_are_damaged_at_the_end_are_settled_again(tracked_job):
    """A plane that another program cleared while the last ones were written."""
    before = tree(tracked_job.out)
    volume = VolumeLabels.open(tracked_job.out, tracked_job.name)
    volume.begin_again()
    volume.close()
    with open_job(changed(tracked_job, resume=True)) as opened:
        steps = opened.frames()
        while next(steps).frame_index < 2:
            pass
        index = (0, *np.argwhere(labels_of(tracked_job)[0].any(axis=(1, 2)))[0])
        zarr.open_array(tracked_job.out / "labels/masklets/0", mode="r+")[index] = 0
        list(steps)
        assert "frames 0 are damaged, and are made again" in opened.mended
    assert tree(tracked_job.out) == before
    (checked,) = verify(tracked_job.out)
    assert checked.is_whole

"""A whole plan: nothing stops the rest, nothing is done twice, all is reported."""

import json
import os
import shutil

import numpy as np
import ome_zarr_models
import pytest
import zarr
from ome_zarr_models.v05 import HCS
from tests.batch.images import multiscales, write_labels

from napari_sam2.batch.plan import checks
from napari_sam2.batch.plan.checks import check_movie
from napari_sam2.batch.plan.plan import BatchPlan
from napari_sam2.batch.prompting.policies import PromptsBeside, PromptsInside
from napari_sam2.batch.report.report import PAGE, REPORT
from napari_sam2.batch.running.batch import Listener, Shard, run_plan
from napari_sam2.errors import InputError, OutputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore


class Heard(Listener):
    """Writes down what it is told."""

    def __init__(self):
        self.ended, self.steps = [], []

    def progress(self, progress):
        self.steps.append(progress)

    def ends(self, outcome):
        self.ended.append((outcome.title, outcome.state))


@pytest.fixture
def plan(job, files, tmp_path):
    """Three movies, the second of which is broken."""
    for name in ("a", "b", "c"):
        shutil.copy(files / "movie.tif", tmp_path / f"{name}.tif")
        shutil.copy(files / "prompts.tif", tmp_path / f"{name}_cp_masks.tif")
    (tmp_path / "b.tif").write_bytes(b"II*\0 no more")
    return BatchPlan(
        movies=(str(tmp_path / "?.tif"),),
        prompts=PromptsBeside(patterns=("{stem}_cp_masks.tif",)),
        model_options=job.model_options,
        frames=(0, 3),
        retry_delay=0,
    )


def test_a_broken_movie_stops_nobody_and_is_in_the_report(plan, tmp_path):
    heard = Heard()
    report = run_plan(plan, tmp_path / "report", listener=heard)
    assert heard.ended == [("a", "done"), ("b", "refused"), ("c", "done")]
    assert {one.title for one in heard.steps} == {"a", "c"}
    assert report.exit_code == 2
    written = json.loads((tmp_path / "report" / REPORT).read_text())
    assert "b.tif" in written["movies"][1]["error"]
    assert "pictures" not in written["movies"][0]["summary"]
    page = (tmp_path / "report" / PAGE).read_text()
    assert page.count("data:image/png") == 6, "first, middle, last of two movies"
    assert page.count("<svg") == 4, "area and trust of two movies"
    assert "b.tif" in page
    whole = "whole, 3 of 12 frames computed"
    assert page.count(whole) == 2, "what verify says of two movies"
    assert [one["verified"] for one in written["movies"]] == [whole, "", whole]

    heard = Heard()
    again = run_plan(plan, tmp_path / "report", listener=heard)
    assert heard.ended == [("a", "complete"), ("c", "complete"), ("b", "refused")]
    assert heard.steps == []
    assert again.movies[0].summary == report.movies[0].summary


def test_labels_go_into_each_field_and_channel_of_a_plate(plan, movie, tmp_path):
    path = tmp_path / "plate.zarr"
    fields = make_plate(path, movie)
    for field in fields:
        labels = zarr.open_group(path / field).require_group("labels")
        labels.attrs["ome"] = {"version": "0.5", "labels": ["nuclei"]}
        write_labels(labels, movie.labels(0))
    made = plan.model_copy(
        update={
            "movies": (str(path),),
            "prompts": PromptsInside(group="labels/nuclei"),
            "out": "{movie}",
            "each_channel": (0, 1),
        }
    )
    report = run_plan(made, tmp_path / "report")
    assert [one.error for one in report.movies] == [""] * 4
    assert [one.state for one in report.movies] == ["done"] * 4
    plate = ome_zarr_models.open_ome_zarr(zarr.open_group(path, mode="r"))
    assert isinstance(plate, HCS)
    names = ["masklets-c0", "masklets-c1", "nuclei"]
    for field in fields:
        image = ome_zarr_models.open_ome_zarr(zarr.open_group(path / field, mode="r"))
        assert sorted(image.labels.attributes.ome.labels) == names
        for name in names[:2]:
            group = zarr.open_group(path / field / "labels" / name, mode="r")
            assert ome_zarr_models.open_ome_zarr(group) is not None
            tracked = OmeZarrLabelStore.open(path / field, name, mode="r")
            assert tracked.array.shape == (3, *movie.frame_shape)
            assert tracked.array[0].any()


def make_plate(path, movie):
    """Write a plate of two wells with one field of two channels and two planes."""
    fields = ["A/1/0", "B/2/0"]
    plate = zarr.open_group(path, mode="w")
    wells = [("A/1", 0, 0), ("B/2", 1, 1)]
    plate.attrs["ome"] = {
        "version": "0.5",
        "plate": {
            "name": "plate",
            "version": "0.5",
            "field_count": 1,
            "columns": [{"name": "1"}, {"name": "2"}],
            "rows": [{"name": "A"}, {"name": "B"}],
            "wells": [
                {"path": name, "rowIndex": row, "columnIndex": column}
                for name, row, column in wells
            ],
        },
    }
    frames = np.stack([movie.frame(index) for index in range(3)])
    pixels = np.stack([frames, frames.max() - frames], axis=1)[:, :, None]
    for field in fields:
        well, _, name = field.rpartition("/")
        group = plate.require_group(well)
        listed = {"images": [{"path": name}], "version": "0.5"}
        group.attrs["ome"] = {"version": "0.5", "well": listed}
        image = group.require_group(name)
        image.attrs["ome"] = multiscales("tczyx", "field")
        image.create_array("0", data=pixels, dimension_names=tuple("tczyx"))
    return fields


def test_two_parts_make_the_whole(plan, tmp_path):
    first = run_plan(plan, tmp_path / "1", shard=Shard.parse("1/2"))
    second = run_plan(plan, tmp_path / "2", shard=Shard.parse("2/2"))
    assert [one.title for one in first.movies] == ["a", "c"]
    assert [one.title for one in second.movies] == ["b"]


@pytest.mark.parametrize("text", ["0/2", "3/2", "a/b", "1", "1/0", "-1/2"])
def test_parts_that_are_none_are_refused(text):
    with pytest.raises(InputError, match=f"--shard {text}"):
        Shard.parse(text)


def test_cancelling_keeps_what_was_done(plan, tmp_path):
    heard = Heard()
    report = run_plan(
        plan,
        tmp_path / "report",
        listener=heard,
        is_cancelled=lambda: len(heard.steps) > 1,
    )
    assert [(one.title, one.state) for one in report.movies] == [("a", "cancelled")]
    assert report.exit_code
    assert run_plan(plan, tmp_path / "report").count("done") == 2


def test_a_disk_that_is_too_small_is_told_before_anything_starts(
    plan, tmp_path, monkeypatch
):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(OutputError, match="GB are free"):
        run_plan(plan, tmp_path / "report")
    assert not list(tmp_path.glob("*.zarr"))


@pytest.mark.skipif(not hasattr(os, "statvfs"), reason="Windows counts no inodes")
def test_a_file_system_without_room_for_files_is_told(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "_free_inodes", lambda _folder: 5)
    with pytest.raises(OutputError, match="holds 5 more"):
        run_plan(plan, tmp_path / "report")


def test_estimates_are_not_below_what_is_written(plan, tmp_path, record_number):
    longer = plan.model_copy(update={"frames": (0, 10)})
    movie = longer.planned()[0]
    said = check_movie(movie)
    assert (said.state, said.frames, said.objects) == ("new", 12, 3)
    assert said.memory_bytes > 2**28
    run_plan(longer, tmp_path / "report", shard=Shard(1, 3))
    written = [one for one in movie.job.out.rglob("*") if one.is_file()]
    size = sum(one.stat().st_size for one in written)
    record_number("bytes estimated / written", said.disk_bytes / size)
    record_number("files estimated / written", said.disk_files / len(written))
    assert size <= said.disk_bytes
    assert len(written) <= said.disk_files <= 5 * len(written)
    assert check_movie(movie).state == "complete"
    assert OmeZarrLabelStore.open(movie.job.out, mode="r").is_complete


def test_what_would_be_refused_is_said_not_raised(plan):
    broken = plan.planned()[1]
    said = check_movie(broken)
    assert said.state == "refused"
    assert "b.tif" in said.reason


@pytest.mark.parametrize("name", ["report.json", "report.html"])
def test_a_report_of_somebody_else_is_not_replaced(plan, tmp_path, name):
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / name).write_text('{"mine": 1}')
    with pytest.raises(OutputError, match=f"{name} was not written by napari-sam2"):
        run_plan(plan, folder)
    assert {one.name: one.read_text() for one in folder.iterdir()} == {
        name: '{"mine": 1}'
    }

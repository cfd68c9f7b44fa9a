"""What is whole is called whole, what is damaged by its name; nothing is changed."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from typer.testing import CliRunner

from napari_sam2.cli import app
from napari_sam2.errors import InputError, OutputError
from napari_sam2.interfaces import DivisionEvidence
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.label_store.tables.measurements import EVIDENCE
from napari_sam2.io.label_store.verification import verify
from napari_sam2.io.ome_zarr.embedded_image import embed_image
from napari_sam2.io.sessions.document import SessionDocument
from napari_sam2.metrics.regions import areas
from napari_sam2.prompts import FramePrompt, MaskPrompt
from napari_sam2.session.book.state import BookState, ObjectState

RUN = "labels/masklets/napari-sam2"


@pytest.fixture
def written(new_store, fake_run):
    """Path of a store with all that there can be, and progress."""
    store = new_store()
    for frame in range(6):
        store.write(fake_run.result(frame))
    store.write_anchor(fake_run.anchor(3))
    mask = np.zeros((48, 64), bool)
    mask[4:9, 5:30] = True
    drawn = ObjectState(3, prompts=(FramePrompt(3, 0, mask=MaskPrompt(mask)),))
    store.history.begin("draw", BookState(), BookState((drawn,)))
    store.write(fake_run.result(2, [7], [7]))
    store.save_session(SessionDocument(book=BookState((drawn,))))
    store.commit(fake_run.progress(6), fake_run.snapshot(5))
    store.close()
    return store.path


def contents(path):
    return {one: one.read_bytes() for one in path.rglob("*") if one.is_file()}


def only_file(folder):
    (file,) = [one for one in folder.rglob("*") if one.is_file()]
    return file


DAMAGE = {
    "labels": lambda path: (path / "labels/masklets/0/c/3/0/0").unlink(),
    "scores": lambda path: shutil.rmtree(path / RUN / "stability/c"),
    "progress": lambda path: shutil.rmtree(path / RUN / "snapshot-a"),
    "measurements": lambda path: (path / RUN / "centroid_y/c/0/0").write_bytes(b"no"),
    "anchor": lambda path: only_file(path / RUN / "anchors/pointer/c").unlink(),
    "session": lambda path: next((path / RUN / "masks").rglob("c/0")).unlink(),
    "history": lambda path: (path / RUN / "history/1/0/c.2.0.0").unlink(),
    "metadata": lambda path: (path / RUN / "area/zarr.json").write_text("{"),
}


def test_what_is_whole_is_called_whole(written, fake_run):
    (report,) = verify(written)
    assert report.is_whole, report.faults
    assert (report.frame_count, report.whole_frames) == (30, 6)
    assert not report.is_complete
    store = OmeZarrLabelStore.open(written)
    store.finish()
    store.close()
    (report,) = verify(written)
    assert report.is_whole, report.faults
    assert report.is_complete


@pytest.mark.parametrize("part", DAMAGE)
def test_what_is_damaged_is_named_and_nothing_is_changed(written, part):
    DAMAGE[part](written)
    before = contents(written)
    (report,) = verify(written)
    assert part in {fault.part for fault in report.faults}
    assert all("\n" not in str(fault) for fault in report.faults)
    assert contents(written) == before
    shown = CliRunner().invoke(app, ["verify", str(written)])
    assert shown.exit_code == 3
    assert f"  {part}: " in shown.output
    shown = CliRunner().invoke(app, ["verify", str(written), "--json"])
    assert shown.exit_code == 3
    document = json.loads(shown.stdout)
    assert document["is_whole"] is False
    (group,) = document["groups"]
    assert part in [fault["part"] for fault in group["faults"]]


def flip(file):
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def changed(name, write):
    def damage(path):
        run = zarr.open_group(path / RUN)
        write(run[name])

    return damage


def lost(array):
    shutil.rmtree(array.store.root / array.path / "c")


def moved(array):
    array[3] = array[3] + 1


@pytest.mark.parametrize(
    "damage",
    [
        changed("centroid_x", moved),
        changed("raw_area", lost),
        changed("raw_area", moved),
    ],
)
def test_measurements_that_changed_or_went_are_missed(new_store, fake_run, damage):
    store = new_store()
    for frame in range(6):
        result = fake_run.result(frame)
        count = len(result.object_ids)
        seen = DivisionEvidence(
            *np.random.default_rng(frame).random((len(EVIDENCE), count), np.float32)
        )
        store.write(replace(result, scores=replace(result.scores, division=seen)))
    store.commit(fake_run.progress(6), fake_run.snapshot(5))
    store.close()
    assert verify(store.path)[0].is_whole
    damage(store.path)
    (report,) = verify(store.path)
    assert {fault.part for fault in report.faults} == {"measurements"}
    assert 3 in {fault.frame_index for fault in report.faults}


@pytest.fixture
def embedded(tmp_path, new_store, fake_run, calibration):
    """Path of finished masklets beside the movie, the first frame of which is black."""
    path = tmp_path / "movie.zarr"
    frames = np.random.default_rng(5).integers(0, 999, (30, 48, 64), np.uint16)
    frames[0] = 0
    embed_image(path, frames, frame_count=30, calibration=calibration)
    store = new_store(path)
    store.write(fake_run.result(0))
    store.finish()
    store.close()
    return path


@pytest.mark.parametrize("frame", [0, 7, 29])
@pytest.mark.parametrize("damage", [flip, Path.unlink])
def test_a_damaged_movie_beside_the_labels_is_found(embedded, frame, damage):
    (whole,) = verify(embedded)
    assert whole.is_whole, whole.faults
    damage(embedded / f"0/c/{frame}/0/0")
    (report,) = verify(embedded)
    (fault,) = report.faults
    assert (fault.part, fault.frame_index) == ("image", frame)


def test_of_a_movie_of_other_makers_nobody_knows_which_chunks_it_had(embedded):
    document = json.loads((embedded / "zarr.json").read_text())
    document["attributes"].pop("napari-sam2")
    (embedded / "zarr.json").write_text(json.dumps(document))
    (embedded / "0/c/7/0/0").unlink()
    assert verify(embedded)[0].is_whole


@pytest.fixture
def coarser(tmp_path, new_store, fake_run):
    """Path of finished masklets in an image of three levels."""
    path = tmp_path / "levels.zarr"
    group = zarr.open_group(path, mode="w")
    datasets = []
    for level in range(3):
        step = 2**level
        shape = (30, 48 // step, 64 // step)
        group.create_array(str(level), shape=shape, chunks=(1, *shape[1:]), dtype="u1")
        scale = {"type": "scale", "scale": [1.0, step, step]}
        datasets.append({"path": str(level), "coordinateTransformations": [scale]})
    axes = [{"name": "t", "type": "time"}] + [
        {"name": name, "type": "space"} for name in "yx"
    ]
    multiscales = [{"axes": axes, "datasets": datasets}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": multiscales}
    store = new_store(path)
    for frame in range(6):
        store.write(fake_run.result(frame))
    store.finish()
    store.close()
    return path


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("damage", [flip, Path.unlink, shutil.rmtree])
def test_a_damaged_coarser_level_is_found(coarser, level, damage):
    (whole,) = verify(coarser)
    assert whole.is_whole, whole.faults
    chunk = coarser / f"labels/masklets/{level}/c/4/0/0"
    damage(coarser / f"labels/masklets/{level}" if damage is shutil.rmtree else chunk)
    (report,) = verify(coarser)
    assert {fault.part for fault in report.faults} == {"levels"}
    assert not report.is_whole


def test_the_command_says_that_all_is_whole(written):
    shown = CliRunner().invoke(app, ["verify", str(written)])
    assert shown.exit_code == 0
    assert "6 of 30 frames computed, whole" in shown.output


def test_undoing_and_doing_again_leaves_all_whole(written):
    store = OmeZarrLabelStore.open(written)
    store.history.undo()
    store.history.redo()
    store.history.undo()
    store.close()
    (report,) = verify(written)
    assert report.is_whole, report.faults


def test_objects_that_are_added_and_frames_written_again_leave_all_whole(
    written, fake_run
):
    from napari_sam2.prompts import PromptedObject

    store = OmeZarrLabelStore.open(written)
    store.add_objects([PromptedObject(one) for one in range(100, 140)])
    result = fake_run.result(4)
    ids = (3, 7, *range(100, 118))
    rows = [0, 1, *[0] * 18]
    scores = replace(
        result.scores,
        **{
            name: getattr(result.scores, name)[rows]
            for name in ("object_score", "predicted_iou", "stability")
        },
        area=areas(result.labels, ids),
    )
    store.write(
        replace(result, object_ids=ids, logits=result.logits[rows], scores=scores)
    )
    store.commit(fake_run.progress(6), None)
    store.close()
    (report,) = verify(written)
    assert report.is_whole, report.faults


def test_frames_that_a_finished_run_has_lost_are_missed(written):
    store = OmeZarrLabelStore.open(written)
    store.finish()
    store.close()
    shutil.rmtree(written / RUN / "whole_frames/c")
    (report,) = verify(written)
    assert "which frames are whole" in str(report.faults[0])


def test_nobody_verifies_what_is_being_written(written):
    store = OmeZarrLabelStore.open(written)
    with pytest.raises(OutputError, match="writing there"):
        _in_another_thread(lambda: verify(written))
    store.close()


def _in_another_thread(function):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def test_other_folders_are_no_masklets(tmp_path, written):
    with pytest.raises(InputError, match="no masklets of napari-sam2"):
        verify(tmp_path)
    with pytest.raises(InputError, match="no masklets 'cells'"):
        verify(written, "cells")


def test_what_version_0_2_wrote_is_whole(of_version_0_2):
    stores = sorted(of_version_0_2.rglob("*.zarr"))
    assert stores
    for path in stores:
        before = contents(path)
        (report,) = verify(path)
        assert report.is_whole, report.faults
        assert contents(path) == before

"""What people saw where they clicked is held against its digests when a run goes on."""

import itertools
import shutil

import numpy as np
import pytest
import zarr
from tests.batch.test_damaged_resume import RUN, flip, interrupted, largest
from tests.batch.trees import tree

from napari_sam2.batch.job import ModelOptions, TrackJob, open_run
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.label_store.verification import verify

ARRAYS = ("object_score", "predicted_iou", "logits", "pointer", "digest")


def not_a_number(array):
    stored = zarr.open_array(array, mode="r+")
    stored[0, 0] = np.full(stored.shape[2:], np.nan, stored.dtype)


DAMAGE = {
    "a bit": lambda array: flip(largest(array / "c")),
    "a chunk": lambda array: largest(array / "c").unlink(),
    "all chunks": lambda array: shutil.rmtree(array / "c"),
    "no number": not_a_number,
}
CASES = [
    (what, name)
    for what, name in itertools.product(DAMAGE, ARRAYS)
    if (what, name) != ("no number", "digest")
]


@pytest.fixture(scope="module")
def runs(files, tmp_path_factory):
    """A job that was interrupted, and the files of one that was not."""
    folder = tmp_path_factory.mktemp("anchors")
    job = TrackJob(
        movie=files / "movie.tif",
        prompts=files / "prompts.tif",
        out=folder / "half.zarr",
        model_options=ModelOptions(model=str(files / "toy.safetensors"), device="cpu"),
        frames=(0, 3),
    )
    whole = job.model_copy(update={"out": folder / "whole.zarr"})
    with open_run(whole) as opened:
        list(opened.frames())
    interrupted(job, 2)
    return job, tree(whole.out)


@pytest.fixture
def half(runs, tmp_path):
    """The interrupted job, somewhere else, to be resumed."""
    job, _ = runs
    shutil.copytree(job.out, tmp_path / "half.zarr")
    return job.model_copy(update={"out": tmp_path / "half.zarr", "resume": True})


@pytest.mark.parametrize(("what", "name"), CASES)
def test_a_damaged_anchor_is_made_again_when_a_run_goes_on(runs, half, what, name):
    DAMAGE[what](half.out / RUN / "anchors" / name)
    (verified,) = verify(half.out)
    assert "anchor" in {fault.part for fault in verified.faults}
    with open_run(half) as opened:
        assert "what was seen on prompted frames is damaged; all" in opened.remark
        assert "\n" not in opened.remark
        list(opened.frames())
    assert tree(half.out) == runs[1]


def test_a_lost_array_of_the_anchors_is_made_again(runs, half):
    shutil.rmtree(half.out / RUN / "anchors/pointer")
    with open_run(half) as opened:
        list(opened.frames())
    assert tree(half.out) == runs[1]


def test_anchors_that_nobody_noted_are_accepted(runs, half):
    """As those of version 0.2, which wrote no digests."""
    shutil.rmtree(half.out / RUN / "anchors/digest")
    store = OmeZarrLabelStore.open(half.out)
    attributes = store._files.run.attrs.asdict()
    for entry in ("progress", "earlier_progress"):
        attributes.get(entry, {}).pop("anchors", None)
        attributes.get(entry, {}).pop("sha256", None)
    store._files.run.attrs.put(attributes)
    store.close()
    with open_run(half) as opened:
        assert opened.remark is None
        list(opened.frames())
        assert opened.mended is None


def test_an_anchor_that_is_damaged_meanwhile_is_made_again(runs, half):
    with open_run(half) as opened:
        for done in opened.frames():
            if done.position == 3 and not opened.mended:
                flip(largest(half.out / RUN / "anchors/logits/c"))
        assert "what was seen on prompted frames is damaged" in opened.mended
    assert tree(half.out) == runs[1]

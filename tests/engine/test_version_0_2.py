"""What version 0.2 wrote is opened, resumed, undone, and gone on with.

``tests/data/version-0.2.tar.xz`` was made by that version: a movie of 12 frames, a
session with five steps, a run that was stopped in its second walk, and what the labels
of both were, or were to become. The weights of its network are whole steps, the same on
every processor.
"""

from dataclasses import replace

import numpy as np
import pytest
import tifffile
import zarr
from tests.engine.engine_steps import Table, click, of_kind

from napari_sam2.batch.job import ModelOptions, TrackJob, open_run
from napari_sam2.engine import BookReturned
from napari_sam2.io.label_store.store import OmeZarrLabelStore

POWERS = {
    "memory_tokenizer.pointer_time.bias": -4,
    "memory_encoder.mask_downsampler.0.bias": -3,
    "memory_encoder.mask_downsampler.3.bias": -4,
    "memory_encoder.pix_feat_proj.bias": -4,
    "memory_encoder.out_proj.bias": -3,
}
"""Of two, for tensors so small that their spread depends on torch's release."""


@pytest.fixture
def toy(tmp_path):
    """Path of the network that the archive was made with, byte for byte."""
    import torch

    from napari_sam2.model.checkpoints.checkpoint import build_model, save_model

    rng = np.random.default_rng(2)
    model = build_model("toy", seed=3)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point() and tensor.numel() > 1 and tensor.std() > 0:
                found = round(float(torch.log2(tensor.std())))
                scale = 2.0 ** POWERS.get(name, found)
                steps = rng.integers(-128, 129, tuple(tensor.shape)) / 64
                tensor.copy_(torch.from_numpy(steps * scale))
        model.mask_downsample.bias.fill_(0.11271512508392334)  # as torch 2.14 draws it
        model.mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(2.0)
        for mlp in model.mask_decoder.output_hypernetworks_mlps:
            mlp.layers[-1].weight.mul_(16.0)
    path = tmp_path / "toy.safetensors"
    save_model(model, path)
    return str(path)


@pytest.fixture
def folder(of_version_0_2):
    return of_version_0_2


@pytest.fixture
def opened(folder, request_for, toy):
    """The session, opened by an engine of today, and what was said."""
    movie = tifffile.imread(folder / "movie.tif")
    request = request_for(array=movie, limits=(0.0, 255.0))
    table = Table(replace(request, folder=folder / "session.zarr"), len(movie))
    (read,) = table.engine.read_session(table.request.folder)
    table.book.replace(read.document.book)
    list(table.engine.adopt(table.request, table.book.state))
    yield table
    table.engine.close()


def everything(table):
    return np.stack([table.labels(frame) for frame in range(table.store.frame_count)])


def test_a_session_opens_with_its_labels_book_and_anchors(folder, opened):
    np.testing.assert_array_equal(
        everything(opened), np.load(folder / "session-labels.npy")
    )
    book = opened.book.state
    assert book[2].name == "daughter"
    assert [prompt.frame_index for prompt in book[1].prompts] == [0, 8]
    assert book[1].prompts[1].mask.mask.sum() == 50
    assert list(book[1].locked) == [0, 1, 2]
    kept = [(one.object_id, one.frame_index) for one in opened.store.read_anchors()]
    assert kept == [(1, 0), (1, 8), (2, 3)]


def test_its_steps_are_undone_and_done_again(folder, opened):
    texts = []
    while said := opened.turn(opened.engine.undo):
        texts += [one.text for one in of_kind(BookReturned, said)]
    assert texts == ["lock object 1", "rename object 2", "say", "track both", "say"]
    assert not everything(opened).any()
    assert opened.book.state.objects == ()
    for _ in texts:
        opened.turn(opened.engine.redo)
    np.testing.assert_array_equal(
        everything(opened), np.load(folder / "session-labels.npy")
    )


def test_it_is_prompted_and_tracked_further(opened):
    opened.say(click(2, 11, (20, 30)))
    opened.track()
    assert (everything(opened)[11] == 2).any()
    assert not any(state.stale for state in opened.book.state.objects)
    opened.engine.close()
    store = OmeZarrLabelStore.open(opened.request.folder, mode="r")
    assert 2 in store.read_session().book


def test_a_run_goes_on_where_it_was_stopped(folder, toy):
    job = TrackJob(
        movie=folder / "movie.tif",
        prompts=folder / "prompts.json",
        out=folder / "run.zarr",
        model_options=ModelOptions(model=toy),
        resume=True,
    )
    with open_run(job) as run:
        done = list(run.frames())
    assert (done[0].position, len(done)) == (9 + 1, done[0].total - 9)
    labels = np.asarray(zarr.open(folder / "run.zarr/labels/masklets/0", mode="r")[:])
    np.testing.assert_array_equal(labels, np.load(folder / "run-labels.npy"))

"""Models track to trusted masks that they were not shown; the masklets stay."""

import json

import numpy as np
import pytest
import tifffile
from tests.batch.trees import tree
from typer.testing import CliRunner

from napari_sam2.batch.self_check.checking import (
    MOST_CLICKS,
    SelfCheckJob,
    clicks_needed,
    is_switched,
    models_at_hand,
    run_self_check,
)
from napari_sam2.batch.self_check.result import kept_path, read_kept
from napari_sam2.cli import app
from napari_sam2.errors import InputError, ModelError
from napari_sam2.generators import WithResult
from napari_sam2.interfaces import FrameResult, ObjectScores
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.movies.frame_sources import open_frames
from napari_sam2.io.sessions.document import InputMapping, SessionDocument
from napari_sam2.io.sessions.provenance import Provenance
from napari_sam2.metrics import region_similarity
from napari_sam2.model.checkpoints.checkpoint import load_model
from napari_sam2.prompts import FramePrompt, MaskPrompt, PromptedObject
from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.tracking.postprocess import label_image
from napari_sam2.tracking.predictor import StreamingPredictor

FRAMES = 4
CORRECTED = {1: (0, 3), 2: (0, 2, 3), 3: (0,)}


@pytest.fixture(scope="module")
def folder(movie, toy, tmp_path_factory):
    """A session whose masks are the truth, with corrections, and its movie."""
    folder = tmp_path_factory.mktemp("session")
    pixels = np.stack([movie.frame(at) for at in range(FRAMES)])
    tifffile.imwrite(folder / "movie.tif", pixels, photometric="minisblack")
    labels = [movie.labels(at).astype(np.uint16) for at in range(FRAMES)]
    ids = tuple(CORRECTED)
    store = OmeZarrLabelStore.create(
        folder / "m.zarr",
        frame_count=FRAMES,
        frame_shape=labels[0].shape,
        logits_shape=(16, 16),
        objects=[PromptedObject(one) for one in ids],
        provenance=Provenance(
            model=str(toy),
            weights_sha256="0",
            device="cpu",
            precision="fp32",
            threads=1,
            plugin_version="0",
        ),
    )
    sure = np.ones(len(ids), np.float32)
    for at, frame in enumerate(labels):
        area = np.array([(frame == one).sum() for one in ids])
        scores = ObjectScores(5 * sure, sure, sure, area)
        logits = np.zeros((len(ids), 16, 16), np.float32)
        store.write(FrameResult(at, frame, ids, logits, scores))
    store.finish()
    states = [
        ObjectState(one, prompts=tuple(_drawn(one, at, labels[at]) for at in frames))
        for one, frames in CORRECTED.items()
    ]
    image = InputMapping(source=str(folder / "movie.tif"))
    store.save_session(SessionDocument(book=BookState(tuple(states)), image=image))
    store.close()
    return folder


def _drawn(one, at, labels):
    return FramePrompt(one, at, mask=MaskPrompt(labels == one))


def finished(steps):
    """Run a generator to its end; return how far it said it was, and its result."""
    taken = WithResult(steps)
    return list(taken), taken.result


@pytest.fixture(scope="module")
def checked(folder, toy):
    before = tree(folder)
    job = SelfCheckJob(folder / "m.zarr", models=(str(toy),), device="cpu")
    steps, found = finished(run_self_check(job))
    assert tree(folder) == before
    return steps, found


def test_every_corrected_frame_is_hidden_once_and_nothing_is_written(checked):
    steps, found = checked
    (model,) = found.models
    assert [(one.object_id, one.frame_index) for one in model.hidden] == [
        (1, 0), (2, 0), (2, 2), (1, 3), (2, 3)
    ]  # fmt: skip
    assert (found.objects, found.frames) == (2, 5)
    assert steps[-1].position == steps[-1].total == len(steps)
    assert model.parameters > 0 < model.memory_bytes
    assert model.seconds_per_frame > 0


def test_a_hidden_mask_is_found_as_a_plain_loop_finds_it(checked, folder, toy):
    _, found = checked
    hidden = {(one.object_id, one.frame_index): one for one in found.models[0].hidden}
    source = open_frames(folder / "movie.tif")
    truth = OmeZarrLabelStore.open(folder / "m.zarr", "masklets", "r").read_labels
    predictor = StreamingPredictor(
        load_model(toy),
        frame_shape=source.frame_shape,
        frame_count=FRAMES,
        device="cpu",
    )
    for at in (0, 3):  # object 2 without what was said on frame 2
        predictor.step(at, source.read(at), [_drawn(2, at, truth(at))])
    predictor.forget_recent()
    for at in range(3):
        step = predictor.step(at, source.read(at))
    guess = label_image((2,), step.logits, source.frame_shape, np.uint16) == 2
    expected = region_similarity(truth(2) == 2, guess)
    assert hidden[2, 2].region == pytest.approx(expected, abs=1e-6)
    source.close()


def test_a_model_that_is_not_here_is_refused_and_not_fetched(folder, monkeypatch):
    monkeypatch.setattr(
        "napari_sam2.model.checkpoints.download.download_steps", lambda *_, **__: 1 / 0
    )
    job = SelfCheckJob(folder / "m.zarr", models=("sam2.1_tiny",))
    with pytest.raises(ModelError, match=r"models download sam2\.1_tiny"):
        finished(run_self_check(job))


def test_models_at_hand_are_the_bundled_one_and_that_of_the_session(folder, toy):
    store = OmeZarrLabelStore.open(folder / "m.zarr", "masklets", "r")
    assert set(models_at_hand((), store)) == {"nano", str(toy)}


def test_a_broken_model_is_told_beside_the_others(folder, toy, tmp_path):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"not weights")
    both = (str(broken), str(toy))
    job = SelfCheckJob(folder / "m.zarr", models=both, device="cpu", most_hidden=1)
    _, found = finished(run_self_check(job))
    refused, measured = sorted(found.models, key=lambda one: not one.refused)
    assert str(broken) in refused.refused
    assert found.recommended == measured.model == str(toy)


def test_nothing_to_hide_is_refused(folder):
    with pytest.raises(InputError, match="--hide 0"):
        SelfCheckJob(folder / "m.zarr", most_hidden=0)


def test_clicks_are_counted_until_the_mask_is_good():
    truth = np.zeros((20, 20), bool)
    truth[5:15, 5:15] = True
    nothing = np.zeros_like(truth)

    def grown(points):
        """Find a quarter more with each click."""
        guess = nothing.copy()
        guess[5 : 5 + 4 * len(points), 5:15] = truth[5 : 5 + 4 * len(points), 5:15]
        return guess

    assert clicks_needed(grown, truth, truth) == 0
    assert clicks_needed(grown, truth, nothing) == 2
    assert clicks_needed(lambda _: nothing, truth, nothing) == MOST_CLICKS
    assert clicks_needed(grown, nothing, truth) == 1
    assert clicks_needed(grown, nothing, nothing) == 0


def test_a_mask_that_lies_on_a_neighbour_is_a_switch():
    labels = np.zeros((10, 10), np.uint16)
    labels[:, :5], labels[:, 5:8] = 1, 2
    guess = np.zeros((10, 10), bool)
    guess[:, 3:8] = True
    assert is_switched(labels, guess, 1)
    assert not is_switched(labels, guess, 2)
    assert not is_switched(labels, np.zeros_like(guess), 1)
    assert not is_switched(np.zeros_like(labels), guess, 9)


def test_the_command_keeps_what_it_found_and_says_what_to_use(folder, toy):
    masklets = str(folder / "m.zarr")
    said = ["self-check", masklets, "--model", str(toy), "--hide", "1"]
    done = CliRunner().invoke(app, [*said, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["recommended"] == str(toy)
    kept = read_kept(folder / "m.zarr", "masklets")
    assert json.loads(kept.model_dump_json()) == told
    kept_path(folder / "m.zarr", "masklets").unlink()

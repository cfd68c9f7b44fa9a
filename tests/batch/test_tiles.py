"""Runs in tiles: on disk, resumed, added to, and refused where they cannot go on."""

import json

import numpy as np
import pytest
import zarr
from tests.batch.trees import tree

from napari_sam2.batch.job import open_run
from napari_sam2.commands.options import parse_tiles
from napari_sam2.errors import InputError, OutputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.label_store.verification import verify
from napari_sam2.session.planning.plan import MergePolicy

SIDE = 48
FRAMES = (0, 8)


@pytest.fixture
def tiled(job):
    """A job on frames that are larger than its tiles."""
    return with_tiles(job, SIDE)


def with_tiles(job, side):
    options = job.model_options.model_copy(update={"tiles": side})
    return job.model_copy(update={"model_options": options, "frames": FRAMES})


def run(job, stop=None):
    with open_run(job) as opened:
        for done in opened.frames():
            if done.position == stop:
                break


def test_the_store_says_where_each_logit_map_lies(tiled, movie):
    run(tiled)
    store = OmeZarrLabelStore.open(tiled.out, mode="r")
    assert store.provenance.settings["tiles"] == SIDE
    assert store.layout.tile_shape == (SIDE, SIDE)
    ids, logits = store.read_logits(0)
    tiles = store.read_tiles(0, ids)
    assert len(set(tiles.tolist())) > 1
    truth, seen = movie.labels(0), store.read_labels(0)
    assert ((seen == truth) & (truth > 0)).sum() > 0.85 * (truth > 0).sum()
    across = SIDE / logits.shape[-1]
    for tile, object_id, mask in zip(tiles, ids, logits, strict=True):
        rows, columns = np.nonzero(mask > 0)
        y, x = store.layout.origin(tile)
        there = np.argwhere(truth == object_id).mean(axis=0)
        centre = y + rows.mean() * across, x + columns.mean() * across
        assert np.hypot(*(there - centre)) < 6
    anchors = {one.object_id: one.tile for one in store.read_anchors()}
    assert anchors == dict(zip(ids, tiles.tolist(), strict=True))


def test_verify_knows_which_tile_each_logit_map_was_of(tiled):
    """In another tile the same logits are another mask."""
    run(tiled)
    (report,) = verify(tiled.out)
    assert report.is_whole, report.faults
    group = zarr.open_group(tiled.out / "labels/masklets/napari-sam2", mode="r+")
    group["tiles"][3, 0] = group["tiles"][3, 0] + 1
    (report,) = verify(tiled.out)
    assert [(one.part, one.frame_index) for one in report.faults] == [("scores", 3)]


def test_a_run_that_was_stopped_resumes_to_the_same_bytes(tiled):
    whole = tiled.model_copy(update={"out": tiled.out.with_name("whole.zarr")})
    run(whole)
    run(tiled, stop=6)
    run(tiled.model_copy(update={"resume": True}))
    assert tree(tiled.out) == tree(whole.out)
    run(tiled.model_copy(update={"resume": True}))  # finished: nothing to do


def test_one_tile_over_the_frame_is_the_plain_run(job):
    plain = with_tiles(job, None)
    one = with_tiles(job, 80).model_copy(update={"out": job.out.with_name("one.zarr")})
    run(plain)
    run(one)
    assert tree(plain.out) == tree(one.out)


def test_other_tiles_are_another_run(tiled, job):
    run(tiled)
    with pytest.raises(OutputError, match="settings"):
        run(with_tiles(job, 32).model_copy(update={"resume": True}))
    with pytest.raises(OutputError, match="--tiles"):
        run(with_tiles(job, None).model_copy(update={"merge": MergePolicy.KEEP}))


def test_objects_are_added_in_the_same_tiles(tiled, tmp_path):
    run(tiled)
    more = tmp_path / "more.json"
    box = {"frame": 0, "box": [20, 50, 40, 70]}
    more.write_text(
        json.dumps({"version": 1, "objects": [{"id": 90, "prompts": [box]}]})
    )
    run(tiled.model_copy(update={"merge": MergePolicy.REPLACE, "prompts": more}))
    store = OmeZarrLabelStore.open(tiled.out, mode="r")
    assert store.is_complete
    (tile,) = store.read_tiles(0, [90])
    assert store.layout.holds(tile, (20, 50, 40, 70))
    assert (store.read_labels(0) == 90).any()


def test_what_auto_chose_is_what_the_run_was_made_with(job):
    run(with_tiles(job, "auto"))
    settings = OmeZarrLabelStore.open(job.out, mode="r").provenance.settings
    assert settings.get("tiles") != "auto"
    for again in ("auto", settings.get("tiles")):
        run(with_tiles(job, again).model_copy(update={"resume": True}))


@pytest.mark.parametrize(
    ("text", "side"), [("off", None), ("256", 256), (None, None), ("auto", "auto")]
)
def test_tiles_are_a_number_of_pixels_auto_or_off(text, side):
    assert parse_tiles(text) == side


@pytest.mark.parametrize("text", ["0", "-3", "big", "25.6", ""])
def test_other_tiles_are_refused(text):
    with pytest.raises(InputError, match="pixels across"):
        parse_tiles(text)

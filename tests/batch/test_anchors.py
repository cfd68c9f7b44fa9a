"""Anchors on several frames, through the network: gaps stand alone, in any order."""

import json

import numpy as np
import pytest

from napari_sam2.batch.job import open_run
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.prompts.files import write_prompts
from napari_sam2.prompts import FramePrompt, MaskPrompt, PromptedObject
from napari_sam2.synthetic.clicks import clicks_inside

FRAMES = 24


@pytest.fixture
def track(job, movie, tmp_path):
    """Return a function: track clicks on ``{object id: frames}``; give the store."""

    def run(name, clicked, reverse=False):
        objects = []
        for object_id, frames in clicked.items():
            prompts = [
                {
                    "frame": frame,
                    "points": [list(clicks_inside(movie.labels(frame))[object_id])],
                }
                for frame in frames
            ]
            objects.append({"id": object_id, "prompts": prompts})
        if reverse:
            objects.reverse()
            for thing in objects:
                thing["prompts"].reverse()
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"version": 1, "objects": objects}))
        changes = {"prompts": path, "out": tmp_path / f"{name}.zarr"}
        with open_run(job.model_copy(update=changes | {"frames": (0, FRAMES)})) as run:
            for _ in run.frames():
                pass
        return OmeZarrLabelStore.open(tmp_path / f"{name}.zarr", mode="r")

    return run


def logits(store, object_id):
    """All logits of one object, ``(frames, h, w)``."""
    ids = store.read_logits(0)[0]
    row = ids.index(object_id)
    return np.stack([store.read_logits(frame)[1][row] for frame in range(FRAMES)])


def test_a_new_anchor_changes_its_two_gaps_and_nothing_else(track):
    before = track("before", {1: (4, 10), 2: (0,)})
    after = track("after", {1: (4, 10, 18), 2: (0,)})
    old, new = logits(before, 1), logits(after, 1)
    np.testing.assert_array_equal(new[:11], old[:11])
    changed = np.flatnonzero((new != old).any(axis=(1, 2)))
    assert set(changed) & set(range(11, 18))
    assert set(changed) & set(range(19, FRAMES))
    # Other objects are padded to what object 1 remembers now: equal up to rounding.
    np.testing.assert_allclose(logits(after, 2), logits(before, 2), atol=1e-3)


def test_an_anchor_between_two_others_changes_only_what_lies_between(
    job, movie, tmp_path
):
    found = {}
    for name, frames in {"before": (4, 16), "after": (4, 10, 16)}.items():
        # Masks: what a person saw on one anchor cannot depend on another then.
        prompts = tuple(
            FramePrompt(1, frame, mask=MaskPrompt(movie.labels(frame) == 1))
            for frame in frames
        )
        write_prompts(tmp_path / f"{name}.json", [PromptedObject(1, prompts)])
        out = tmp_path / f"{name}.zarr"
        changes = {"prompts": tmp_path / f"{name}.json", "out": out}
        with open_run(job.model_copy(update=changes | {"frames": (0, FRAMES)})) as run:
            for _ in run.frames():
                pass
        found[name] = logits(OmeZarrLabelStore.open(out, mode="r"), 1)
    changed = (found["before"] != found["after"]).any(axis=(1, 2))
    assert changed[5:16].any()
    assert not changed[:5].any()
    assert not changed[16:].any()


def test_the_order_of_objects_and_prompts_in_the_file_is_nothing(track):
    clicked = {1: (4, 10), 2: (0, 12), 3: (7,)}
    forward, backward = track("one", clicked), track("other", clicked, reverse=True)
    np.testing.assert_array_equal(backward.array[:FRAMES], forward.array[:FRAMES])
    for object_id in clicked:
        np.testing.assert_array_equal(
            logits(backward, object_id), logits(forward, object_id)
        )

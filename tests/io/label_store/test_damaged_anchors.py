"""An anchor or a drawn mask that is not what was stored is not taken for one."""

import json

import numpy as np
import pytest

from napari_sam2.errors import OutputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.sessions.document import SessionDocument
from napari_sam2.prompts import FramePrompt, MaskPrompt
from napari_sam2.session.book.state import BookState, ObjectState

RUN = "labels/masklets/napari-sam2"


@pytest.fixture
def anchored(new_store, fake_run):
    store = new_store()
    for object_id in (3, 7):
        store.write_anchor(fake_run.anchor(object_id))
    store.close()
    return store


def places(store):
    return [(one.object_id, one.frame_index) for one in store.read_anchors()]


def lost(store):
    return [one for one in store.read_session().remarks if "predicted anew" in one]


def damage(path, key):
    (file,) = [one for one in (path / RUN / key).rglob("*") if one.is_file()]
    file.unlink()


def garble(path, key):
    (file,) = [one for one in (path / RUN / key).rglob("*") if one.is_file()]
    file.write_bytes(file.read_bytes()[:-7] + b"damaged")


@pytest.mark.parametrize("how", [damage, garble])
@pytest.mark.parametrize("key", ["logits/c/0/1", "pointer/c/0/1"])
def test_an_anchor_that_is_damaged_is_predicted_anew(anchored, key, how):
    how(anchored.path, f"anchors/{key}")
    store = OmeZarrLabelStore.open(anchored.path)
    assert places(store) == [(3, 0)]
    (remark,) = lost(store)
    assert "object 7 on frame 0" in remark


def test_anchors_whose_scores_are_lost_are_no_absent_ones(anchored):
    """Without a file of scores there would be no anchors, and nobody would say so."""
    damage(anchored.path, "anchors/object_score/c")
    store = OmeZarrLabelStore.open(anchored.path)
    assert places(store) == []
    (remark,) = lost(store)
    assert "object 3 on frame 0, object 7 on frame 0" in remark


def test_an_anchor_that_was_removed_is_not_lost(anchored):
    store = OmeZarrLabelStore.open(anchored.path)
    store.remove_anchors([7], [0])
    assert places(store) == [(3, 0)]
    assert lost(store) == []


def test_anchors_belong_to_their_object(anchored):
    file = anchored.path / RUN / "zarr.json"
    document = json.loads(file.read_text())
    document["attributes"]["object_ids"].reverse()
    file.write_text(json.dumps(document))
    assert places(OmeZarrLabelStore.open(anchored.path, mode="r")) == []


def test_an_anchor_that_is_written_again_counts_again(anchored, fake_run):
    damage(anchored.path, "anchors/logits/c/0/1")
    store = OmeZarrLabelStore.open(anchored.path)
    store.write_anchor(fake_run.anchor(7))
    assert places(store) == [(3, 0), (7, 0)]
    assert lost(store) == []


@pytest.fixture
def drawn(new_store):
    """A store whose session has a drawn mask, and the mask's only chunk."""
    store = new_store()
    mask = np.zeros((48, 64), bool)
    mask[4:9, 5:30] = True
    prompt = FramePrompt(3, 0, mask=MaskPrompt(mask))
    book = BookState((ObjectState(3, prompts=(prompt,)),))
    store.save_session(SessionDocument(book=book))
    store.close()
    (chunk,) = (store.path / RUN / "masks").rglob("c/0")
    return store, chunk, mask, book


@pytest.mark.parametrize(
    "change",
    [
        lambda chunk: chunk.unlink(),
        lambda chunk: chunk.write_bytes(chunk.read_bytes()[:-3]),
        lambda chunk: (chunk.parents[1] / "zarr.json").unlink(),
    ],
)
def test_a_mask_that_is_damaged_does_not_open_as_another(drawn, change):
    store, chunk, mask, book = drawn
    change(chunk)
    opened = OmeZarrLabelStore.open(store.path)
    with pytest.raises(OutputError, match=r"a drawn mask is .*restore it from a copy"):
        opened.read_session()
    # Whoever has it still, saves it again.
    opened.save_session(SessionDocument(book=book))
    (prompt,) = opened.read_session().book[3].prompts
    np.testing.assert_array_equal(prompt.mask.mask, mask)

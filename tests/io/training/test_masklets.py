"""Masklets as training data: what a person trusts, with the movie they lie on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tifffile

from napari_sam2.errors import InputError
from napari_sam2.interfaces import FrameResult, ObjectScores
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.sessions.document import InputMapping, SessionDocument
from napari_sam2.io.sessions.provenance import Provenance
from napari_sam2.io.training.masklets import MaskletChoice, read_masklets
from napari_sam2.io.training.sources import TrainingSource, read_source
from napari_sam2.prompts import FramePrompt, PointPrompt, PromptedObject
from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.session.planning.frame_set import FrameSet

SHAPE = (24, 32)
FRAMES = 6
IDS = (2, 5)


def labels_of(frame: int) -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint16)
    labels[4:10, 3 + frame : 9 + frame] = 2
    labels[14:20, 20:26] = 5
    return labels


def write_movie(path, pixels):
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata={"axes": "TYX"})


@pytest.fixture
def store(tmp_path):
    provenance = Provenance(
        model="nano",
        weights_sha256="0" * 64,
        device="cpu",
        precision="fp32",
        threads=1,
        prompts={},
        frames={},
        settings={},
        plugin_version="0",
    )
    prompt = (PointPrompt(5.0, 6.0),)
    store = OmeZarrLabelStore.create(
        tmp_path / "cells.zarr",
        frame_count=FRAMES,
        frame_shape=SHAPE,
        logits_shape=(8, 8),
        objects=[PromptedObject(i, (FramePrompt(i, 0, points=prompt),)) for i in IDS],
        provenance=provenance,
    )
    ones = np.ones(2, np.float32)
    scores = ObjectScores(ones, ones, ones, ones)
    for frame in range(FRAMES - 1):  # the last one was not tracked
        logits = np.zeros((2, 8, 8), np.float32)
        store.write(FrameResult(frame, labels_of(frame), IDS, logits, scores))
    store.finish()
    return store


@pytest.fixture
def movie(tmp_path):
    pixels = np.stack([(labels_of(frame) > 0) * 150 + 20 for frame in range(FRAMES)])
    write_movie(tmp_path / "movie.tif", pixels.astype(np.uint8))
    return tmp_path / "movie.tif"


def test_all_tracked_frames_are_read(store, movie):
    (clip,) = read_masklets(store.path, movie)
    assert clip.name == "cells.zarr 0-4"
    assert clip.frames.shape == (5, *SHAPE, 1)
    np.testing.assert_array_equal(clip.labels[3], labels_of(3))
    np.testing.assert_array_equal(clip.frames[3, ..., 0] > 100, labels_of(3) > 0)
    assert not clip.is_complete


def test_only_what_was_locked_or_reviewed_teaches(store, movie):
    book = store.read_session().book
    locked = FrameSet.of([0, 1, 4])
    states = [
        replace(state, locked=locked)
        if state.object_id == 2
        else replace(state, reviewed=FrameSet.of([1]))
        for state in book.objects
    ]
    assert all(isinstance(state, ObjectState) for state in states)
    store.save_session(SessionDocument(book=BookState(tuple(states))))
    first, second = read_masklets(store.path, movie, choice=MaskletChoice("locked"))
    assert (first.name, second.name) == ("cells.zarr 0-1", "cells.zarr 4-4")
    assert set(np.unique(first.labels)) == {0, 2}


def test_masklets_trusted_on_other_frames_come_apart(store, movie):
    """Object 5 is reviewed on frame 1 only: it must not look absent on the others."""
    first, second = store.read_session().book.objects
    states = (
        replace(first, locked=FrameSet.of([0, 1, 4])),
        replace(second, reviewed=FrameSet.of([1])),
    )
    store.save_session(SessionDocument(book=BookState(states)))
    source = TrainingSource("masklets", store.path, movie, trust="reviewed")
    found = [(one.name, {*np.unique(one.labels)} - {0}) for one in read_source(source)]
    assert found == [
        ("cells.zarr 0-1 of 2", {2}),
        ("cells.zarr 4-4 of 2", {2}),
        ("cells.zarr 1-1 of 5", {5}),
    ]


def test_frames_that_nobody_tracked_teach_nothing_though_locked(store, movie):
    states = [
        replace(state, locked=FrameSet.between(0, FRAMES - 1))
        for state in store.read_session().book.objects
    ]
    store.save_session(SessionDocument(book=BookState(tuple(states))))
    (clip,) = read_masklets(store.path, movie, choice=MaskletChoice("locked"))
    assert clip.name == "cells.zarr 0-4"


def test_labels_are_never_taken_for_the_movie(store):
    with pytest.raises(InputError, match="labels and no image"):
        list(read_masklets(store.path))


def test_the_movie_that_the_session_names_is_read(store, movie):
    document = store.read_session()
    image = InputMapping(source=str(movie), axes="TYX", frame_axis="T")
    store.save_session(document.model_copy(update={"image": image}))
    (clip,) = read_masklets(store.path)
    np.testing.assert_array_equal(clip.frames[3, ..., 0] > 100, labels_of(3) > 0)


def test_nothing_trusted_is_refused(store, movie):
    with pytest.raises(InputError, match="no reviewed masklet"):
        list(read_masklets(store.path, movie, choice=MaskletChoice("reviewed")))


def test_another_movie_is_refused(store, tmp_path):
    other = tmp_path / "other.tif"
    write_movie(other, np.zeros((3, *SHAPE), np.uint8))
    with pytest.raises(InputError, match="3 frames"):
        list(read_masklets(store.path, other))

"""Masklets that a person vouches for, read with the movie as it was tracked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_sam2.errors import InputError
from napari_sam2.interfaces import FrameResult, ObjectScores
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.movies.intensity import IntensityMapping
from napari_sam2.io.sessions.document import InputMapping, SessionDocument
from napari_sam2.io.sessions.provenance import Provenance
from napari_sam2.io.training.vouched import (
    BLOCK,
    MOST_FRAMES,
    MaskletSession,
    read_vouched,
    spread,
)
from napari_sam2.prompts import FramePrompt, PointPrompt, PromptedObject
from napari_sam2.session.book.state import BookState
from napari_sam2.session.planning.frame_set import FrameSet

SHAPE, FRAMES, IDS = (24, 32), 6, (2, 5)


def labels_of(frame):
    labels = np.zeros(SHAPE, np.uint16)
    labels[4:10, 3 + frame : 9 + frame] = 2
    labels[14:20, 20:26] = 5
    return labels


@pytest.fixture
def layer():
    """A layer of two channels in 16 bits, whose second one was tracked."""
    pixels = np.zeros((FRAMES, 2, *SHAPE), np.uint16)
    for frame in range(FRAMES):
        pixels[frame, 1] = np.where(labels_of(frame) > 0, 3000, 1000)
    return pixels


@pytest.fixture
def store(tmp_path):
    point = (PointPrompt(5.0, 6.0),)
    store = OmeZarrLabelStore.create(
        tmp_path / "cells.zarr",
        frame_count=FRAMES,
        frame_shape=SHAPE,
        logits_shape=(8, 8),
        objects=[PromptedObject(i, (FramePrompt(i, 0, points=point),)) for i in IDS],
        provenance=Provenance(
            model="nano",
            weights_sha256="0" * 64,
            device="cpu",
            precision="fp32",
            threads=1,
            plugin_version="0",
        ),
    )
    ones = np.ones(2, np.float32)
    scores = ObjectScores(ones, ones, ones, ones)
    for frame in range(FRAMES - 1):  # the last one was not tracked
        logits = np.zeros((2, 8, 8), np.float32)
        store.write(FrameResult(frame, labels_of(frame), IDS, logits, scores))
    store.finish()
    document = store.read_session()
    first, second = document.book.objects
    locked = replace(first, locked=FrameSet.of([1]), reviewed=FrameSet.of([1, 3]))
    image = InputMapping(
        layer="cells",
        axes="TCYX",
        frame_axis="T",
        fixed={"C": 1},
        intensity=IntensityMapping(limits=((1000.0, 3000.0),)),
    )
    store.save_session(SessionDocument(book=BookState((locked, second)), image=image))
    return store


def test_what_a_person_verified_is_read_as_it_was_tracked(store, layer):
    read = read_vouched(MaskletSession(store.path, array=layer))
    assert read.numbers.tolist() == [1, 3]
    assert read.trusted == {2: FrameSet.between(0, 1)}
    np.testing.assert_array_equal(read.labels[1], labels_of(3))
    np.testing.assert_array_equal(read.frames[1, ..., 0] == 255, labels_of(3) > 0)
    assert set(np.unique(read.frames)) == {0, 255}


def test_chosen_objects_teach_wherever_they_were_tracked(store, layer):
    read = read_vouched(MaskletSession(store.path, (2, 5), layer))
    assert read.numbers.tolist() == [0, 1, 2, 3, 4]
    assert read.trusted == {2: FrameSet.of([1, 3]), 5: FrameSet.between(0, 4)}


def test_frames_that_nobody_tracked_teach_nothing_though_locked(store, layer):
    document = store.read_session()
    first, second = document.book.objects
    locked = replace(first, locked=FrameSet.between(0, FRAMES - 1))
    book = BookState((locked, second))
    store.save_session(document.model_copy(update={"book": book}))
    read = read_vouched(MaskletSession(store.path, array=layer))
    assert read.trusted == {2: FrameSet.between(0, FRAMES - 2)}


def test_labels_are_never_taken_for_the_movie(store):
    with pytest.raises(InputError, match="labels and no image"):
        read_vouched(MaskletSession(store.path))


def test_what_cannot_be_used_is_named(store, layer):
    with pytest.raises(InputError, match="no object 7"):
        read_vouched(MaskletSession(store.path, (7,), layer))
    with pytest.raises(InputError, match="the movie that was tracked"):
        read_vouched(MaskletSession(store.path, (2,), layer[:4]))
    book = store.read_session().book
    nothing = [replace(o, locked=FrameSet(), reviewed=FrameSet()) for o in book.objects]
    store.save_session(SessionDocument(book=BookState(tuple(nothing))))
    with pytest.raises(InputError, match="locked or reviewed"):
        read_vouched(MaskletSession(store.path, array=layer))


def test_large_frames_are_shrunk(store, layer):
    read = read_vouched(MaskletSession(store.path, array=layer), max_side=16)
    assert read.frames.shape == (2, 12, 16, 1)
    assert read.labels.shape == (2, 12, 16)


def test_of_a_long_movie_blocks_from_everywhere_are_read():
    frames = spread(range(1000))
    assert len(frames) == MOST_FRAMES
    assert frames[:BLOCK] == list(range(BLOCK))
    assert frames[-1] == 999
    assert frames == sorted(set(frames))
    assert spread([3, 5]) == [3, 5]

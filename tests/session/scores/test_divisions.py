"""Which divisions the scores of tracked objects speak for."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from napari_sam2.interfaces import DivisionEvidence
from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.session.scores.divisions import proposed_divisions
from napari_sam2.session.scores.tables import ScoreTables

FRAMES = 12
BIRTH = 6


def state(object_id, frame=0, parent=None):
    prompt = FramePrompt(object_id, frame, (PointPrompt(10, 10),))
    return ObjectState(object_id, "", parent, (prompt,))


@pytest.fixture
def movie():
    """Objects 1 and 2, the second from `BIRTH` on, 14 pixels beside the first."""
    tables = ScoreTables.empty((1, 2), FRAMES)
    tables.area[:] = 200
    tables.area[:BIRTH, 1] = 0
    tables.y[:] = 30
    tables.x[:, 0], tables.x[BIRTH:, 1] = 20, 34
    evidence = DivisionEvidence(
        *np.zeros((len(fields(DivisionEvidence)), FRAMES, 2), np.float32)
    )
    evidence.raw_area[:] = tables.area
    evidence.sister_y[:], evidence.sister_x[:] = np.nan, np.nan
    return tables, evidence, BookState((state(1), state(2, BIRTH)))


def test_objects_that_stay_what_they_are_do_not_divide(movie):
    assert proposed_divisions(*movie) == []


def test_a_neighbour_that_appears_while_an_area_halves_is_a_daughter(movie):
    tables, evidence, book = movie
    evidence.raw_area[BIRTH:] = 100
    (found,) = proposed_divisions(tables, evidence, book)
    assert (found.mother, found.daughter, found.frame_index) == (1, 2, BIRTH)


@pytest.mark.parametrize(("what", "value"), [("far", 200), ("small", 20)])
def test_who_is_far_or_of_another_size_is_none(movie, what, value):
    tables, evidence, book = movie
    evidence.raw_area[BIRTH:] = 100
    if what == "far":
        tables.x[BIRTH:, 1] = value
    else:
        evidence.raw_area[BIRTH:, 1] = value
    assert proposed_divisions(tables, evidence, book) == []


def test_two_components_for_some_frames_are_two_daughters(movie):
    tables, evidence, book = movie
    evidence.second_part[BIRTH : BIRTH + 3, 0] = 1
    evidence.sister_y[BIRTH:, 0], evidence.sister_x[BIRTH:, 0] = 30, 26
    (found,) = proposed_divisions(tables, evidence, book)
    assert (found.mother, found.daughter, found.frame_index) == (1, 0, BIRTH)
    assert found.places == ((30, 14), (30, 26))


def test_of_a_mask_that_was_cut_the_first_daughter_is_what_is_left(movie):
    tables, evidence, book = movie
    evidence.second_part[BIRTH : BIRTH + 3, 0] = 1
    tables.area[BIRTH:, 0] = 100
    evidence.sister_y[BIRTH:, 0], evidence.sister_x[BIRTH:, 0] = 30, 26
    (found,) = proposed_divisions(tables, evidence, book)
    assert found.places == ((30, 20), (30, 26))


@pytest.mark.parametrize(("share", "births"), [(0.7, [BIRTH]), (0.3, [])])
def test_one_frame_is_enough_where_the_area_halves(movie, share, births):
    tables, evidence, book = movie
    evidence.second_part[BIRTH, 0] = share
    tables.area[BIRTH:, 0] = 100
    evidence.sister_y[BIRTH, 0], evidence.sister_x[BIRTH, 0] = 30, 26
    found = proposed_divisions(tables, evidence, book)
    assert [one.frame_index for one in found] == births
    assert all(one.places == ((30, 20), (30, 26)) for one in found)


def test_two_frames_are_not_enough_and_unknown_ones_are_none(movie):
    tables, evidence, book = movie
    evidence.second_part[BIRTH : BIRTH + 4, 0] = 1
    evidence.second_part[BIRTH + 2, 0] = np.nan
    assert proposed_divisions(tables, evidence, book) == []


def test_mothers_and_daughters_are_passed_over(movie):
    tables, evidence, _ = movie
    evidence.second_part[BIRTH:, 0] = 1
    evidence.raw_area[BIRTH:] = 100
    book = BookState((state(1), state(2, BIRTH, parent=1)))
    assert proposed_divisions(tables, evidence, book) == []

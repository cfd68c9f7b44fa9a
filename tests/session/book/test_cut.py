"""An object is cut in two: one ends, another goes on, and neither is a mother."""

import numpy as np
import pytest

from napari_sam2.errors import InputError
from napari_sam2.prompts import FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.session.book.prompt_book import PromptBook
from napari_sam2.session.book.state import FrameFlag
from napari_sam2.session.planning.frame_set import FrameSet

MASK = MaskPrompt(np.eye(6, dtype=bool))


@pytest.fixture
def book():
    """Object 1 is said on frames 1, 4 and 8, and is the mother of object 2."""
    book = PromptBook(12)
    for frame in (1, 4, 8):
        book.set_prompt(FramePrompt(1, frame, (PointPrompt(2, 3),)))
    book.set_prompt(FramePrompt(2, 10, (PointPrompt(2, 3),)))
    book.set_parent(2, 1)
    return book


def test_what_comes_after_is_the_new_one_s(book):
    book.cut(1, FramePrompt(3, 4, mask=MASK))
    said = {
        one.object_id: {p.frame_index: not p.is_absence for p in one.prompts}
        for one in book.state.objects
    }
    assert said == {
        1: {1: True, 4: False},
        2: {10: True},
        3: {3: False, 4: True, 8: True},
    }
    assert {one.object_id: one.parent for one in book.state.objects} == {
        1: None,
        2: 3,
        3: None,
    }


def test_where_it_cannot_be_cut_it_is_said(book):
    with pytest.raises(InputError, match="not prompted before frame 1"):
        book.cut(1, FramePrompt(3, 1, mask=MASK))
    book.flag(FrameFlag.LOCKED, [1], FrameSet.between(6, 7))
    with pytest.raises(InputError, match="locked from frame 4 on"):
        book.cut(1, FramePrompt(3, 4, mask=MASK))
    with pytest.raises(ValueError, match="mask"):
        book.cut(1, FramePrompt(3, 4, (PointPrompt(1, 1),)))
    assert len(book.state.objects) == 2


def test_colours_are_given_and_taken_in_one_edit(book):
    red = (1.0, 0.0, 0.0, 1.0)
    edit = book.recolor({1: red, 2: red})
    assert [one.color for one in edit.after.objects] == [red, red]
    assert edit.after[2].stale == edit.before[2].stale
    assert book.recolor({1: red, 2: red}) is None
    assert book.recolor({1: None, 2: None}).after[1].color is None

"""What both daughters of a proposed division are prompted with."""

import numpy as np
import pytest

from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.session.book.prompt_book import PromptBook
from napari_sam2.session.book.proposals import ProposedDivision, daughters_of


def two_blocks():
    mask = np.zeros((20, 40), bool)
    mask[5:15, 5:15] = mask[5:15, 20:30] = True
    return mask


def test_each_daughter_gets_the_pixels_nearer_to_her():
    proposed = ProposedDivision(1, 0, 4, ((9, 9), (9, 24)))
    first, second = daughters_of(proposed, two_blocks(), (7, 9))
    assert (first.object_id, second.object_id) == (7, 9)
    assert first.frame_index == second.frame_index == 4
    assert not (first.mask.mask & second.mask.mask).any()
    assert ((first.mask.mask | second.mask.mask) == two_blocks()).all()
    assert first.mask.mask[:, :17].sum() == second.mask.mask[:, 18:].sum() == 100


@pytest.mark.parametrize("place", [(9, 36), (-3, 24), (9, 200)])
def test_who_is_not_in_the_mothers_mask_gets_a_click(place):
    proposed = ProposedDivision(1, 0, 4, ((9, 9), place))
    mask = two_blocks()
    mask[:, 16:] = False
    first, second = daughters_of(proposed, mask, (2, 3))
    assert (first.mask.mask == mask).all()
    assert second.points == (PointPrompt(*place),)
    swapped = ProposedDivision(1, 0, 4, (place, (9, 9)))
    first, second = daughters_of(swapped, mask, (2, 3))
    assert first.points == (PointPrompt(*place),)
    assert (second.mask.mask == mask).all()


def test_without_places_nobody_guesses():
    with pytest.raises(ValueError, match="places"):
        daughters_of(ProposedDivision(1, 0, 4), two_blocks(), (2, 3))


def test_a_division_makes_two_new_objects_in_one_edit():
    book = PromptBook(10)
    book.set_prompt(FramePrompt(1, 0, (PointPrompt(9, 9),)))
    proposed = ProposedDivision(1, 0, 4, ((9, 9), (9, 24)))
    first, second = daughters_of(proposed, two_blocks(), (2, 3))
    edit = book.divide(1, second, first)
    parents = {one.object_id: one.parent for one in edit.after.objects}
    assert parents == {1: None, 2: 1, 3: 1}

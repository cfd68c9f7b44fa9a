"""Where the branches of families lie."""

import numpy as np

from napari_sam2.prompts import FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.session.book.prompt_book import PromptBook
from napari_sam2.ui.lineage.tree import branch_at, family_tree


def click(object_id, frame):
    return FramePrompt(object_id, frame, points=(PointPrompt(1, 1),))


def dividing_book():
    """1 divides on frame 5 into 2 and 3; 3 on frame 9 into 4 and 6; 5 is alone."""
    book = PromptBook(20)
    book.set_prompts(
        [click(1, 0), click(2, 5), click(3, 5), click(5, 2), click(4, 9)], "begin"
    )
    for daughter, mother in ((2, 1), (3, 1)):
        book.set_parent(daughter, mother)
    mask = MaskPrompt(np.ones((2, 2), bool))
    book.divide(3, 4, FramePrompt(6, 9, mask=mask))
    return book


def test_a_family_is_the_same_for_each_of_its_members():
    book = dividing_book()
    trees = {family_tree(book.state, one, 20) for one in (1, 2, 3, 4, 6)}
    (tree,) = trees
    found = {one.object_id: (one.mother, one.row, one.first, one.last) for one in tree}
    assert found == {
        1: (None, 0.75, 0, 4),
        2: (1, 0.0, 5, 19),
        3: (1, 1.5, 5, 8),
        4: (3, 1.0, 9, 19),
        6: (3, 2.0, 9, 19),
    }
    assert branch_at(tree, 1.9).object_id == 6
    assert branch_at(tree, 5) is None


def test_who_is_alone_or_unknown_has_no_tree():
    book = dividing_book()
    assert family_tree(book.state, 5, 20) == ()
    assert family_tree(book.state, 99, 20) == ()

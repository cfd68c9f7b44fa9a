"""Tiles are as large as the prompted objects need."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.batch.tile_choice import chosen_side, fitting_side
from napari_sam2.errors import InputError
from napari_sam2.prompts import (
    BoxPrompt,
    FramePrompt,
    MaskPrompt,
    PointPrompt,
    PromptedObject,
)

SMALL = np.zeros((2048, 2048), bool)
SMALL[100:125, 200:225] = True


def prompted(**prompt):
    return PromptedObject(1, (FramePrompt(1, 0, **prompt),))


def test_small_cells_are_shown_at_their_own_size():
    assert fitting_side((2048, 2048), 256, [25] * 300) == 256
    mask = prompted(mask=MaskPrompt(SMALL))
    assert chosen_side("auto", (2048, 2048), 256, [mask]) == 256
    box = prompted(box=BoxPrompt(10, 10, 34, 34))
    assert chosen_side("auto", (2048, 2048), 256, [box]) == 256


def test_larger_cells_get_larger_tiles_and_large_ones_none():
    assert fitting_side((2048, 2048), 256, [40] * 10) == 512
    assert fitting_side((2048, 2048), 256, [150] * 10) is None
    assert fitting_side((512, 512), 256, [40] * 10) is None
    assert fitting_side((2048, 2048), 1024, [25] * 10) == 1024


def test_the_largest_lies_whole_in_a_tile():
    assert fitting_side((2048, 2048), 256, [*[20] * 10, 100]) == 512
    assert fitting_side((300, 300), 256, [*[10] * 10, 200]) is None


@given(
    st.tuples(st.integers(16, 5000), st.integers(16, 5000)),
    st.sampled_from([256, 512, 1024]),
    st.lists(st.floats(1, 400), max_size=9),
)
def test_tiles_are_smaller_than_the_frame_or_none(shape, image_size, sizes):
    side = fitting_side(shape, image_size, sizes)
    assert side is None or (image_size <= side < max(shape))


def test_a_number_is_taken_unless_it_covers_the_frame():
    assert chosen_side(64, (100, 80), 256, []) == 64
    assert chosen_side(100, (100, 80), 256, []) is None
    assert chosen_side(None, (100, 80), 256, []) is None


def test_clicks_do_not_tell_a_size():
    click = prompted(points=(PointPrompt(5, 5),))
    with pytest.raises(InputError, match="clicks do not tell"):
        chosen_side("auto", (2048, 2048), 256, [click])
    with pytest.raises(InputError, match="--image-size"):
        chosen_side("auto", (2048, 2048), None, [click])

import pytest

from napari_sam2.engine.movie.axes import (
    candidate_frame_axes,
    guess_channel_axis,
    guess_frame_axis,
    lay_out_layer,
    unsure_axes,
)
from napari_sam2.errors import InputError


@pytest.mark.parametrize(
    ("shape", "names", "expected"),
    [
        ((60, 256, 256), ("-3", "-2", "-1"), 0),  # nameless: the first
        ((5, 60, 256, 256), ("z", "t", "y", "x"), 1),  # the one called time
        ((1, 60, 256, 256), ("t", "z", "y", "x"), 1),  # a single time point
        ((256, 256), ("y", "x"), None),
        ((2, 60, 256, 256), ("-4", "-3", "-2", "-1"), 1),  # two are rather channels
        ((3, 256, 256), ("-3", "-2", "-1"), 0),  # there is no other
    ],
)
def test_the_frame_axis_is_guessed(shape, names, expected):
    assert guess_frame_axis(shape, names) == expected


@pytest.mark.parametrize(
    ("shape", "names", "expected"),
    [
        ((3, 64, 64), ("-3", "-2", "-1"), [0]),
        ((60, 2, 64, 64), ("-4", "-3", "-2", "-1"), [1]),
        ((60, 4, 64, 64), ("-4", "-3", "-2", "-1"), []),
        ((3, 64, 64), ("t", "y", "x"), []),
        ((3, 2, 64, 64), ("-4", "c", "-2", "-1"), []),  # those are the channels
    ],
)
def test_short_axes_without_a_name_may_be_channels(shape, names, expected):
    assert unsure_axes(shape, names) == expected


def test_frames_run_along_any_axis_but_rows_and_columns():
    assert candidate_frame_axes((7, 1, 5, 64, 64)) == [0, 2]


@pytest.mark.parametrize(
    ("names", "frame_axis", "letters", "frame_count"),
    [
        (("t", "z", "y", "x"), 0, "TZYX", 4),
        (("t", "z", "y", "x"), 1, "TZYX", 5),  # frames along depth
        (("t", "c", "y", "x"), 0, "TCYX", 4),
        (("-4", "-3", "-2", "-1"), 0, "TZYX", 4),
        (("-4", "-3", "-2", "-1"), 1, "ZTYX", 5),
        (("c", "t", "y", "x"), 0, "TZYX", 4),  # who wants channels as frames gets them
    ],
)
def test_axes_get_letters(names, frame_axis, letters, frame_count):
    axes = lay_out_layer((4, 5, 32, 48), names, frame_axis, {1 - frame_axis: 2})
    assert axes.letters == letters
    assert axes.frame_count == frame_count
    assert axes.frame_shape == (32, 48)
    assert axes.fixed == ((1 - frame_axis, 2),)


def test_positions_belong_to_a_frame_and_a_plane():
    axes = lay_out_layer((4, 5, 32, 48), ("t", "z", "y", "x"), 0, {1: 2})
    assert axes.frame_at((3.2, 2, 10, 10)) == 3
    assert axes.is_on_plane((3, 2.4, 10, 10))
    assert not axes.is_on_plane((3, 3, 10, 10))


def test_masks_are_the_same_in_all_channels():
    axes = lay_out_layer((4, 2, 32, 48), ("t", "c", "y", "x"), 0, {})
    assert axes.is_on_plane((0, 1, 5, 5))


@pytest.mark.parametrize("shape", [(7,), (2, 2, 2, 2, 32, 32)])
def test_layers_of_too_few_or_too_many_dimensions_are_refused(shape):
    with pytest.raises(InputError, match=f"{len(shape)} dimension"):
        lay_out_layer(shape, [str(-i) for i in range(len(shape))], 0, {})


def test_the_axis_called_channel_is_that_of_channels():
    names = ("t", "c", "y", "x")
    assert guess_channel_axis((4, 2, 32, 48), names, 0) == 1
    assert guess_channel_axis((4, 2, 32, 48), names, 1) is None  # frames run there
    assert guess_channel_axis((4, 1, 32, 48), names, 0) is None


@pytest.mark.parametrize(
    ("frame_axis", "channel_axis", "letters"),
    [(0, 2, "TZCYX"), (0, 1, "TCZYX"), (2, 0, "CZTYX")],
)
def test_a_nameless_axis_can_be_that_of_channels(frame_axis, channel_axis, letters):
    names = [str(-number) for number in range(5, 0, -1)]
    axes = lay_out_layer((4, 5, 3, 32, 48), names, frame_axis, {}, channel_axis)
    assert axes.letters == letters
    assert axes.channel_axis == channel_axis
    assert axes.spread == (channel_axis,)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("position", "y", "x"), None),
        (("angle", "y", "x"), None),
        (("position", "time", "y", "x"), 1),
        (("position", "z", "y", "x"), 1),
        (("-3", "-2", "-1"), 0),
        (("0", "1", "2"), 0),
        (("Timepoint", "y", "x"), 0),
    ],
)
def test_an_axis_that_is_called_something_else_is_no_frame_axis(names, expected):
    assert guess_frame_axis((4, 3, 6, 7)[4 - len(names) :], names) == expected

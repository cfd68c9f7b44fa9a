import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.errors import InputError
from napari_sam2.io.movies.axes import FrameSelection, lay_out_frames

SIZES = {"T": 4, "Z": 3, "C": 5, "Y": 6, "X": 7, "S": 3}


def cut(pixels, layout, frame_index):
    """Return one frame as ``(channels, Y, X)``, by the layout."""
    block = pixels[layout.index(frame_index, frame_index + 1)]
    (planes,) = layout.planes(block)
    return planes


@pytest.mark.parametrize(
    ("shape", "known_axes", "frame_axis", "frames"),
    [
        ((6, 7), None, "", 1),
        ((4, 6, 7), None, "T", 4),
        ((4, 6, 7), "TYX", "T", 4),
        ((4, 6, 7), "ZYX", "Z", 4),
        ((4, 6, 7), "QYX", "T", 4),  # tifffile: a sequence of unknown meaning
        ((4, 6, 7), "IYX", "T", 4),
        ((1, 4, 6, 7), "TZYX", "Z", 4),  # one time point: a stack
        ((4, 1, 6, 7), "TZYX", "T", 4),
        ((1, 1, 6, 7), "TZYX", "T", 1),
        ((1, 4, 6, 7), "TQYX", "T", 4),
        ((6, 7, 3), None, "", 1),  # an RGB image
        ((6, 7, 4), "YXS", "", 1),
        ((9, 6, 7, 3), None, "T", 9),
        ((4, 3, 6, 7), "TSYX", "T", 4),
        ((7, 6, 4), "XYT", "T", 4),
    ],
)
def test_the_frame_axis_is_time_or_else_depth(shape, known_axes, frame_axis, frames):
    layout = lay_out_frames(shape, known_axes=known_axes)
    assert (layout.frame_axis, layout.frame_count) == (frame_axis, frames)
    assert layout.frame_shape == (6, 7)


@given(
    letters=st.permutations("TZCYX"),
    z=st.integers(0, SIZES["Z"] - 1),
    channels=st.lists(st.integers(0, SIZES["C"] - 1), min_size=1, max_size=3),
    frame_index=st.integers(0, SIZES["T"] - 1),
)
def test_frames_are_cut_alike_from_axes_in_any_order(letters, z, channels, frame_index):
    shape = [SIZES[letter] for letter in letters]
    pixels = np.arange(np.prod(shape)).reshape(shape)
    layout = lay_out_frames(
        shape, selection=FrameSelection("".join(letters), None, z, tuple(channels))
    )
    ordered = pixels.transpose([letters.index(letter) for letter in "TZCYX"])
    np.testing.assert_array_equal(
        cut(pixels, layout, frame_index), ordered[frame_index, z, channels]
    )


@given(letters=st.permutations("TYXS"), samples=st.sampled_from([1, 2, 3, 4]))
def test_rgb_samples_lose_their_alpha(letters, samples):
    sizes = {**SIZES, "S": samples}
    shape = [sizes[letter] for letter in letters]
    pixels = np.arange(np.prod(shape)).reshape(shape)
    layout = lay_out_frames(shape, known_axes="".join(letters))
    ordered = pixels.transpose([letters.index(letter) for letter in "TSYX"])
    shown = 3 if samples >= 3 else 1
    np.testing.assert_array_equal(cut(pixels, layout, 2), ordered[2, :shown])
    assert layout.is_color == (samples >= 3)


def test_a_time_point_makes_depth_the_frame_axis(numbered):
    pixels = numbered((4, 3, 6, 7))
    layout = lay_out_frames(
        pixels.shape, known_axes="TZYX", selection=FrameSelection(t=2)
    )
    assert layout.frame_axis == "Z"
    np.testing.assert_array_equal(cut(pixels, layout, 1), pixels[2, 1][None])


def test_a_plane_makes_time_the_frame_axis_even_of_one_time_point(numbered):
    pixels = numbered((1, 3, 6, 7))
    layout = lay_out_frames(
        pixels.shape, known_axes="TZYX", selection=FrameSelection(z=2)
    )
    assert (layout.frame_axis, layout.frame_count) == ("T", 1)
    np.testing.assert_array_equal(cut(pixels, layout, 0), pixels[0, 2][None])


def test_one_channel_of_rgb_images_is_shown_as_rgb(numbered):
    pixels = numbered((4, 2, 6, 7, 3))
    layout = lay_out_frames(
        pixels.shape, known_axes="TCYXS", selection=FrameSelection(channels=(1,))
    )
    np.testing.assert_array_equal(
        cut(pixels, layout, 3), np.moveaxis(pixels[3, 1], -1, 0)
    )


@pytest.mark.parametrize(
    ("shape", "known_axes", "selection", "words"),
    [
        ((0, 6, 7), None, {}, ["empty", "(0, 6, 7)"]),
        ((6,), None, {}, ["no image", "(6,)"]),
        ((4, 3, 6, 7), None, {}, ["say it", "TZYX or TCYX"]),
        ((4, 3, 6, 7), "QQYX", {}, ["??YX", "TZYX or TCYX"]),
        ((4, 3, 6, 7), "TQYX", {}, ["T?YX", "say what they are"]),
        ((4, 6, 7), "TYQ", {}, ["TY?"]),
        ((4, 6, 7), None, {"axes": "TYW"}, ["'W'", "T (time)"]),
        ((4, 6, 7), None, {"axes": "TTX"}, ["twice"]),
        ((4, 6, 7), None, {"axes": "TZX"}, ["Y and X"]),
        ((4, 6, 7), "QYX", {"axes": "TZYX"}, ["4 axes", "3", "(4, 6, 7)", "?YX"]),
        ((4, 3, 6, 7), "TZYX", {}, ["3 z planes", "choose one, 0 to 2"]),
        ((4, 3, 6, 7), "TZYX", {"z": 3}, ["z plane 3", "0 to 2"]),
        ((4, 3, 6, 7), "TZYX", {"z": -1}, ["z plane -1", "0 to 2"]),
        ((4, 3, 6, 7), "TZYX", {"t": 4}, ["time point 4", "0 to 3"]),
        ((4, 6, 7), "TYX", {"z": 0}, ["no Z axis", "no z plane"]),
        ((4, 6, 7), "ZYX", {"z": 0}, ["are the frames", "axis T"]),
        ((4, 2, 6, 7), "TCYX", {}, ["2 channels", "0 to 1"]),
        ((4, 2, 6, 7), "TCYX", {"channels": (2,)}, ["channels 2:", "0 to 1"]),
        ((4, 5, 6, 7), "TCYX", {"channels": (0, 1, 2, 3)}, ["one to three"]),
        ((4, 5, 6, 7), "TCYX", {"channels": ()}, ["one to three"]),
        ((4, 6, 7), "TYX", {"channels": (1,)}, ["channels 1:", "0 to 0"]),
        ((4, 2, 6, 7, 3), "TCYXS", {"channels": (0, 1)}, ["RGB", "choose one"]),
        ((6, 7, 5), "YXS", {}, ["5 channels"]),
    ],
)
def test_ambiguity_is_an_error_that_says_what_to_choose(
    shape, known_axes, selection, words
):
    with pytest.raises(InputError) as raised:
        lay_out_frames(
            shape,
            known_axes=known_axes,
            selection=FrameSelection(**selection),
            name="cells.tif",
        )
    message = str(raised.value)
    assert "--" not in message  # the window has no flags
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("known_axes", "words"),
    [
        (("phi", "Y", "X"), ["axis 0 of length 4", "'phi'", "TYX"]),
        (("lifetime", "Y", "X"), ["'lifetime'"]),
        (("T", "Y", "angle"), ["'angle'"]),
        (("i", "Y", "X"), ["'i'"]),
    ],
)
def test_an_axis_that_is_not_known_is_asked_for(known_axes, words):
    with pytest.raises(InputError) as raised:
        lay_out_frames((4, 6, 7), known_axes=known_axes)
    for word in words:
        assert word in str(raised.value)
    assert raised.value.settings == ("axes",)


@pytest.mark.parametrize("known_axes", ["PYX", "TPYX", "PTZCYX"])
def test_a_stage_position_is_no_frame_and_is_chosen(numbered, known_axes):
    sizes = {"P": 3, "T": 4, "Z": 1, "C": 1, "Y": 6, "X": 7}
    shape = tuple(sizes[letter] for letter in known_axes)
    with pytest.raises(InputError, match=r"3 stage positions: choose one") as raised:
        lay_out_frames(shape, known_axes=known_axes)
    assert raised.value.settings == ("position",)
    layout = lay_out_frames(
        shape, known_axes=known_axes, selection=FrameSelection(position=2)
    )
    assert layout.frame_count == (4 if "T" in known_axes else 1)
    pixels = numbered(shape)
    chosen = pixels.take(2, known_axes.index("P"))
    np.testing.assert_array_equal(
        cut(pixels, layout, 0).ravel(), chosen.reshape(-1, 6 * 7)[0]
    )


def test_what_was_decided_is_said_in_a_few_words():
    layout = lay_out_frames(
        (4, 3, 2, 6, 7),
        known_axes="TZCYX",
        selection=FrameSelection(z=1, channels=(1,)),
    )
    assert layout.summary == "frames are 4 time points, z plane 1 of 3, channel 1 of 2"
    assert lay_out_frames((6, 7)).summary == "one frame"


@pytest.mark.parametrize(
    ("shape", "known_axes"),
    [
        ((512, 512, 40), None),
        ((512, 512, 40), "QYX"),  # as tifffile calls them
        ((1024, 1280, 300), None),
        ((48, 64, 30), None),
        ((1080, 1920, 120, 3), None),
        ((64, 48, 10), "IYX"),
        ((96, 96, 2), None),
        ((96, 96, 1), None),
    ],
)
def test_frames_that_may_come_last_are_asked_about(shape, known_axes):
    with pytest.raises(InputError, match="say it: YXT if the frames come last") as told:
        lay_out_frames(shape, known_axes=known_axes)
    assert told.value.settings == ("axes",)
    chosen = FrameSelection(axes="YXTS"[: len(shape)])
    assert lay_out_frames(shape, selection=chosen).frame_count == shape[2]


@pytest.mark.parametrize(
    "shape", [(40, 512, 512), (500, 64, 48), (800, 256, 32), (1000, 1024, 700)]
)
def test_pictures_that_may_well_be_frames_are(shape):
    assert lay_out_frames(shape).frame_count == shape[0]

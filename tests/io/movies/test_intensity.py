import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import ValidationError

from napari_sam2.errors import InputError
from napari_sam2.io.movies.frame_sources import open_frames
from napari_sam2.io.movies.intensity import (
    IntensityMapping,
    check_dtype,
    check_finite,
    measure_mapping,
)

INTEGERS = [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.int64]
FLOATS = [np.float16, np.float32, np.float64]


def by_the_book(plane, low, high, gamma=1.0, invert=False):
    """Return the documented formula, pixel by pixel."""
    value = np.clip((plane.astype(float) - low) / (high - low), 0, 1) ** gamma
    return np.floor((1 - value if invert else value) * 255 + 0.5).astype(np.uint8)


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS])
@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("gamma", [1.0, 0.5])
def test_every_dtype_follows_the_formula(dtype, gamma, invert):
    plane = np.linspace(-100, 120, 48).reshape(6, 8).astype(dtype)
    mapping = IntensityMapping(limits=((3, 99),), gamma=(gamma,), invert=invert)
    image = mapping.apply(plane[None])
    assert image.shape == (6, 8, 3)
    assert image.dtype == np.uint8
    expected = by_the_book(plane, 3, 99, gamma, invert)
    for channel in range(3):
        assert np.abs(image[..., channel].astype(int) - expected).max() <= 1


def test_big_endian_pixels_are_not_garbled():
    plane = np.array([[0, 1000, 65535]], ">u2")
    mapping = IntensityMapping(limits=((0, 65535),))
    assert mapping.apply(plane[None])[0, :, 0].tolist() == [0, 4, 255]


def test_sixteen_bit_detail_survives_where_dtype_range_would_squash_it():
    plane = np.arange(1000, 1256, dtype=np.uint16).reshape(16, 16)
    image = IntensityMapping(limits=((1000, 1255),)).apply(plane[None])
    assert len(np.unique(image)) == 256


def test_uint8_is_unchanged_without_limits():
    grey = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    image = IntensityMapping().apply(grey)
    np.testing.assert_array_equal(image, np.stack([grey[0]] * 3, axis=-1))
    color = np.stack([grey[0], grey[0].T, 255 - grey[0]])
    np.testing.assert_array_equal(
        IntensityMapping(gamma=(1.0,) * 3).apply(color), np.moveaxis(color, 0, -1)
    )


def test_channels_become_red_green_blue_in_order():
    planes = np.stack([np.full((2, 2), value, np.uint16) for value in (0, 50, 100)])
    limits = ((0, 100), (0, 100), (0, 100))
    three = IntensityMapping(limits=limits).apply(planes)
    assert three[0, 0].tolist() == [0, 128, 255]
    two = IntensityMapping(limits=limits[:2]).apply(planes[1:])
    assert two[0, 0].tolist() == [128, 255, 0]


def test_each_channel_has_its_limits_and_gamma():
    planes = np.full((2, 1, 1), 50, np.uint16)
    mapping = IntensityMapping(limits=((0, 100), (0, 200)), gamma=(2.0, 1.0))
    assert mapping.apply(planes)[0, 0].tolist() == [64, 64, 0]


@given(
    movie=hnp.arrays(
        st.sampled_from([np.uint8, np.int16, np.uint16, np.int32, np.float32]),
        st.tuples(st.integers(1, 4), st.just(1), st.integers(1, 5), st.integers(1, 6)),
        elements=st.integers(0, 120),
    )
)
def test_limits_are_numpys_percentiles_of_the_pixels(movie):
    mapping = measure_mapping(movie.__getitem__, len(movie), percentiles=(10, 90))
    low, high = np.percentile(movie.astype(float), (10, 90))
    if low == high:
        low, high = float(movie.min()), float(movie.max())
    if low == high:
        high = low + 1
    assert mapping.limits is not None
    np.testing.assert_allclose(mapping.limits[0], (low, high), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
def test_negative_integers_are_counted_in_their_order(dtype):
    movie = np.linspace(-120, 120, 200).astype(dtype).reshape(1, 1, 10, 20)
    mapping = measure_mapping(movie.__getitem__, 1, percentiles=(25, 75))
    np.testing.assert_allclose(
        mapping.limits[0], np.percentile(movie.astype(float), (25, 75))
    )


def test_at_most_twenty_evenly_spaced_frames_are_sampled():
    asked = []

    def read_planes(frame_index):
        asked.append(frame_index)
        return np.full((1, 2, 2), frame_index, np.uint16)

    mapping = measure_mapping(read_planes, 20_000)
    assert len(asked) == 20
    assert asked[0] == 0
    assert asked[-1] == 19_999
    assert set(np.diff(asked)) <= {1052, 1053}
    assert mapping.sampled_frames == tuple(asked)


def test_large_float_frames_are_sampled_on_a_grid():
    ramp = np.linspace(0, 1, 1000 * 900, dtype=np.float32).reshape(1, 1, 1000, 900)
    mapping = measure_mapping(ramp.__getitem__, 1)
    np.testing.assert_allclose(mapping.limits[0], (0.001, 0.999), atol=5e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_a_constant_movie_is_black_and_divides_by_nothing(dtype):
    movie = np.full((3, 1, 4, 4), 77, dtype)
    mapping = measure_mapping(movie.__getitem__, 3)
    assert not mapping.apply(movie[0]).any()


def test_a_few_bright_specks_on_black_are_not_saturated():
    movie = np.zeros((1, 1, 100, 100), np.uint16)
    movie[0, 0, 5, 5:7] = 400, 800
    image = measure_mapping(movie.__getitem__, 1).apply(movie[0])
    assert image[5, 5, 0] == 128
    assert image[5, 6, 0] == 255


def test_rgb_keeps_its_color_balance_and_channels_do_not():
    ramp = np.arange(100, dtype=np.uint16).reshape(10, 10)
    movie = np.stack([ramp, 10 * ramp])[None]
    joint = measure_mapping(movie.__getitem__, 1, joint=True).limits
    apart = measure_mapping(movie.__getitem__, 1).limits
    assert joint[0] == joint[1]
    assert apart[0][1] < apart[1][1] / 5


def test_a_mapping_survives_json():
    mapping = IntensityMapping(
        limits=((0.1, 99.7), (1 / 3, 2e9)), gamma=(0.7, 1.0), invert=True
    )
    assert IntensityMapping.model_validate_json(mapping.model_dump_json()) == mapping


@pytest.mark.parametrize(
    "fields",
    [
        {"limits": ((5, 5),)},
        {"limits": ((6, 5),)},
        {"limits": ((0, float("nan")),)},
        {"limits": ((-1.7e308, 1.7e308),)},
        {"gamma": (0.0,)},
        {"gamma": ()},
        {"limit": ((0, 1),)},
    ],
)
def test_senseless_mappings_are_refused(fields):
    with pytest.raises(ValidationError):
        IntensityMapping(**fields)


@pytest.mark.parametrize(
    ("dtype", "word"),
    [
        (bool, "boolean"),
        (np.complex64, "complex"),
        ("U3", "not a number"),
        ("M8[s]", "not a number"),
        ([("r", "u1")], "not a number"),
    ],
)
def test_dtypes_that_are_no_intensities_are_refused(dtype, word):
    with pytest.raises(InputError, match=word):
        check_dtype(np.dtype(dtype), "cells.tif")


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS, np.uint64])
def test_all_real_dtypes_are_welcome(dtype):
    check_dtype(np.dtype(dtype), "cells.tif")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_is_named_with_its_frame_and_place(value):
    planes = np.zeros((2, 5, 6), np.float32)
    planes[1, 3, 4] = value
    with pytest.raises(InputError, match=r"cells.tif: frame 8 .* row 3, column 4"):
        check_finite(planes, "cells.tif", 8)


@pytest.mark.parametrize("levels", [(0, 1), (0, 15), (100, 117)])
def test_8_bit_images_of_few_grey_levels_are_stretched(levels):
    low, high = levels
    values = np.linspace(low, high, 32 * 32).round().astype(np.uint8)
    frames = open_frames(np.stack([values.reshape(32, 32)] * 6))
    shown = frames.read(5)
    assert (shown.min(), shown.max()) == (0, 255)


def test_8_bit_images_of_many_grey_levels_and_colours_stay_as_they_are():
    movie = np.arange(2 * 32 * 32).reshape(2, 32, 32) % 100
    frames = open_frames(movie.astype(np.uint8))
    np.testing.assert_array_equal(frames.read(1)[..., 0], movie[1])
    color = np.full((2, 32, 32, 3), (3, 9, 4), np.uint8)
    color[:, :4] = (9, 120, 0)
    np.testing.assert_array_equal(open_frames(color).read(0), color[0])

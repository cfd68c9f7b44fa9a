"""From layers to frozen movies; napari's layers need no window."""

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image

from napari_sam2.engine.movie.axes import lay_out_layer
from napari_sam2.engine.movie.image_input import (
    ChannelChoice,
    ChannelSource,
    Look,
    small_picture,
)
from napari_sam2.ui.layers.placement import layer_shape
from napari_sam2.ui.movie.layer_input import channel_sources, image_input, look_of

FRAMES = np.random.default_rng(0).integers(0, 4000, (5, 32, 48), dtype=np.uint16)


def opened(layer, frame_axis=0, stay_at=()):
    axes = lay_out_layer(
        layer_shape(layer), layer.axis_labels, frame_axis, dict(stay_at)
    )
    return image_input(layer, axes).open()


def test_the_model_sees_the_layers_contrast_and_gamma():
    layer = Image(FRAMES, contrast_limits=(1000, 3000), gamma=0.5)
    seen = opened(layer).read(3)
    expected = np.clip((FRAMES[3] - 1000.0) / 2000, 0, 1) ** 0.5 * 255
    assert seen.shape == (32, 48, 3)
    np.testing.assert_allclose(seen[..., 0], expected, atol=0.51)


def test_rgb_is_seen_as_it_is():
    rgb = np.random.default_rng(1).integers(0, 256, (5, 32, 48, 3), dtype=np.uint8)
    np.testing.assert_array_equal(opened(Image(rgb, rgb=True)).read(2), rgb[2])


def test_of_a_pyramid_the_finest_level_is_tracked():
    levels = [da.from_array(FRAMES), da.from_array(FRAMES[:, ::2, ::2])]
    layer = Image(levels, multiscale=True, contrast_limits=(0, 4000))
    frames = opened(layer)
    assert (frames.frame_count, frames.frame_shape) == (5, (32, 48))


def test_a_single_frame_is_read_of_a_lazy_movie():
    computed = []

    def draw(block_info=None):
        computed.append(block_info[None]["chunk-location"][0])
        return np.ones((1, 64, 64), np.uint16)

    lazy = da.map_blocks(
        draw, chunks=((1,) * 20_000, 64, 64), dtype=np.uint16, meta=np.ones((0, 0, 0))
    )
    layer = Image(lazy, contrast_limits=(0, 2))
    computed.clear()
    assert opened(layer).read(12_345).max() == 128
    assert set(computed) == {12_345}


@pytest.mark.parametrize(("frame_axis", "stays"), [(0, (1, 2)), (1, (0, 3))])
def test_planes_and_time_points_can_be_stayed_at(frame_axis, stays):
    volume = np.arange(4 * 5, dtype=np.uint8).reshape(4, 5, 1, 1) * np.ones(
        (1, 1, 32, 32), np.uint8
    )
    layer = Image(volume, contrast_limits=(0, 255), axis_labels=("t", "z", "y", "x"))
    frames = opened(layer, frame_axis, [stays])
    assert frames.frame_count == volume.shape[frame_axis]
    place = [0, 0]
    place[frame_axis], place[stays[0]] = 1, stays[1]
    assert (frames.read(1) == volume[tuple(place)][0, 0]).all()
    assert frames.calibration.frame_axis == ("t", "z")[frame_axis]


def test_calibration_travels():
    layer = Image(
        FRAMES,
        scale=(120, 0.65, 0.5),
        translate=(0, 3, 4),
        units=("second", "micrometer", "micrometer"),
        contrast_limits=(0, 1),
    )
    calibration = opened(layer).calibration
    assert calibration.scale == (120, 0.65, 0.5)
    assert calibration.translation == (0, 3, 4)
    assert calibration.units == ("second", "micrometer", "micrometer")
    assert (
        opened(Image(FRAMES, contrast_limits=(0, 1))).calibration.units == (None,) * 3
    )


def seen_as(look, plane):
    """The formula, written down a second time."""
    low, high = look.limits
    bright = np.clip((plane - float(low)) / (high - low), 0, 1) ** look.gamma
    return 255 * (1 - bright if look.invert else bright)


def test_an_inverted_colormap_is_seen_inverted():
    layer = Image(FRAMES, contrast_limits=(1000, 3000), colormap="gray_r")
    assert look_of(layer) == Look((1000, 3000), 1.0, True)
    for colormap in ("gray", "green", "viridis"):
        assert not look_of(Image(FRAMES, colormap=colormap)).invert
    expected = seen_as(look_of(layer), FRAMES[1])
    np.testing.assert_allclose(opened(layer).read(1)[..., 0], expected, atol=0.51)


@pytest.mark.parametrize("inverted", [False, True], ids=["together", "apart"])
def test_channels_of_one_layer_become_red_green_blue(inverted):
    stack = np.stack([FRAMES, FRAMES[::-1], FRAMES // 2], axis=1)
    layer = Image(stack, contrast_limits=(0, 4000), axis_labels=("t", "c", "y", "x"))
    axes = lay_out_layer(stack.shape, layer.axis_labels, 0, {})
    sources = channel_sources([layer], layer, stack.shape, axes.channel_axis)
    assert [source.title for source in sources] == [f"channel {i}" for i in range(3)]
    own = Look((500, 2500), 0.5, inverted)
    choices = [
        ChannelChoice("red", sources[2]),
        ChannelChoice("green", sources[0], own),
        ChannelChoice("blue", sources[1]),
    ]
    seen = image_input(layer, axes, choices)
    frame = seen.open().read(3)
    looks = (look_of(layer), own, look_of(layer))
    for column, (index, look) in enumerate(zip((2, 0, 1), looks, strict=True)):
        expected = seen_as(look, stack[3, index])
        np.testing.assert_allclose(frame[..., column], expected, atol=0.51)
    assert hash(seen) == hash(image_input(layer, axes, choices))
    assert seen == image_input(layer, axes, choices)
    other = image_input(layer, axes, choices[:1])
    assert other != seen
    assert other.movie_key == seen.movie_key  # the same cells, seen otherwise


def test_channels_of_several_layers_become_colours():
    nuclei = Image(FRAMES, contrast_limits=(0, 4000), name="nuclei")
    membrane = Image(
        da.from_array((FRAMES / 4000).astype(np.float32)),
        contrast_limits=(0.2, 0.8),
        gamma=2.0,
        name="membrane",
    )
    others = [
        Image(FRAMES[:, :16], name="small"),
        Image(FRAMES[..., None].repeat(3, -1)),
    ]
    sources = channel_sources([nuclei, membrane, *others], nuclei, FRAMES.shape, None)
    assert [source.title for source in sources] == ["nuclei", "membrane"]
    axes = lay_out_layer(FRAMES.shape, nuclei.axis_labels, 0, {})
    layers = {layer.unique_id: layer for layer in (nuclei, membrane)}
    choices = [ChannelChoice("blue", sources[0]), ChannelChoice("red", sources[1])]
    frames = image_input(nuclei, axes, choices, layers).open()
    frame = frames.read(2)
    for column, layer in ((2, nuclei), (0, membrane)):
        expected = seen_as(look_of(layer), np.asarray(layer.data[2]))
        np.testing.assert_allclose(frame[..., column], expected, atol=0.51)
    assert not frame[..., 1].any()
    assert (frames.frame_count, frames.frame_shape) == (5, (32, 48))
    assert frames.provenance["source"] == "nuclei + membrane"
    assert [part["colors"] for part in frames.provenance["parts"]] == [
        ["blue"],
        ["red"],
    ]
    assert frames.read_raw(2).shape == (2, 32, 48)
    frames.close()
    with pytest.raises(ValueError, match="closed"):
        frames.read(0)


def test_other_channels_stay_on_the_same_plane_of_a_stack_in_time():
    volume = np.arange(2 * 3 * 2 * 4, dtype=np.uint8).reshape(2, 3, 2, 4, 1) * np.ones(
        (1, 1, 1, 1, 8), np.uint8
    )
    layer = Image(
        volume, contrast_limits=(0, 255), axis_labels=("t", "z", "c", "y", "x")
    )
    axes = lay_out_layer(volume.shape, layer.axis_labels, 0, {1: 2})
    source = ChannelSource(layer.unique_id, 1, "channel 1")
    seen = image_input(layer, axes, [ChannelChoice("grey", source)])
    np.testing.assert_array_equal(seen.open().read(1)[..., 0], volume[1, 2, 1])


def test_a_small_picture_is_the_mean_of_squares():
    rgb = np.random.default_rng(2).integers(0, 256, (2, 64, 40, 3), dtype=np.uint8)
    frames = opened(Image(rgb, rgb=True))
    picture = small_picture(frames, 1, side=16)
    assert picture.shape == (16, 10, 3)
    np.testing.assert_allclose(picture[0, 0], rgb[1, :4, :4].mean((0, 1)), atol=0.51)
    assert small_picture(frames, 1, side=64).shape == (64, 40, 3)

"""From layers to frozen movies; napari's layers need no window."""

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image

from napari_sam2.ui.image_input import image_input, layer_shape
from napari_sam2.ui.layer_axes import lay_out_layer

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

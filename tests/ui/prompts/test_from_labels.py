import dask.array as da
import numpy as np
import pytest
import zarr
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap

from napari_sam2.engine.movie.axes import lay_out_layer
from napari_sam2.errors import InputError
from napari_sam2.ui.layers.colors import colormap_with, object_color
from napari_sam2.ui.prompts.from_labels import (
    anchor_frames,
    labels_to_prompts,
    picture_labels,
)

SHAPE = (4, 20, 30)
AXES = lay_out_layer(SHAPE, ("t", "y", "x"), 0, {})
HERE = (0.0, 0.0, 0.0)


@pytest.fixture
def movie():
    return Image(np.zeros(SHAPE), scale=(1, 0.5, 0.5), translate=(0, 3, 4))


@pytest.fixture
def labels():
    array = np.zeros(SHAPE, np.int32)
    array[0, 2:6, 3:9] = 7
    array[2, 3:7, 4:10] = 7
    array[2, 10:14, 20:25] = 70_000
    return array


def on(movie, array, **options):
    options = {"scale": movie.scale, "translate": movie.translate} | options
    return Labels(array, name="Cellpose", **options)


def test_every_label_of_the_frame_becomes_an_object_of_its_colour(movie, labels):
    layer = on(movie, labels)
    picture = picture_labels(layer, movie, AXES, HERE)
    intake = labels_to_prompts(picture, [0], taken=())
    (prompt,) = intake.prompts
    assert (prompt.object_id, prompt.frame_index) == (7, 0)
    np.testing.assert_array_equal(prompt.mask.mask, labels[0] == 7)
    np.testing.assert_allclose(intake.colors[7], layer.get_color(7), atol=1e-6)
    assert intake.sentence == "1 object on frame 0 from labels of Cellpose."
    colormap = colormap_with(intake.colors)
    np.testing.assert_allclose(colormap.map(7), layer.get_color(7), atol=1e-6)
    np.testing.assert_allclose(colormap.map(8), object_color(8), atol=1e-6)


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr", "multiscale"])
def test_later_frames_are_more_anchors_of_the_same_objects(movie, labels, kind):
    array = {
        "numpy": lambda: labels,
        "dask": lambda: da.from_array(labels, chunks=(1, 9, 9)),
        "zarr": lambda: zarr.array(labels, chunks=(1, 9, 9)),
        "multiscale": lambda: [labels, labels[:, ::2, ::2]],
    }[kind]()
    picture = picture_labels(on(movie, array), movie, AXES, HERE)
    assert anchor_frames(0, 4, None) == [0]
    intake = labels_to_prompts(picture, anchor_frames(0, 4, 2), taken={7, 9})
    # 7 is in use, and 70,000 is no id: both are told.
    assert intake.renumbered == {7: 10, 70_000: 11}
    assert "7 is now 10, 70000 is now 11" in intake.sentence
    assert [(one.object_id, one.frame_index) for one in intake.prompts] == [
        (10, 0),
        (10, 2),
        (11, 2),
    ]
    np.testing.assert_array_equal(intake.prompts[2].mask.mask, labels[2] == 70_000)
    with pytest.raises(InputError, match="no label of Cellpose on frame 1"):
        labels_to_prompts(picture, [1], taken=())


def test_labels_lie_where_they_are_seen(movie):
    """Half the resolution, fewer rows, no frames; and the other way round."""
    coarse = np.zeros((5, 15), np.uint8)
    coarse[1, 2] = 3
    # A coarse pixel spans two of the movie's; its centre lies between them.
    layer = on(movie, coarse, scale=(1, 1), translate=(3.25, 4.25))
    picture = picture_labels(layer, movie, AXES, HERE)
    assert not picture.has_frames
    (prompt,) = labels_to_prompts(picture, [3, 1], taken=()).prompts
    assert prompt.frame_index == 3
    assert np.argwhere(prompt.mask.mask).tolist() == [[2, 4], [2, 5], [3, 4], [3, 5]]
    flipped = on(movie, coarse, scale=(1, -1), translate=(3.25, 4.25 + 14))
    picture = picture_labels(flipped, movie, AXES, HERE)
    (prompt,) = labels_to_prompts(picture, [0], taken=()).prompts
    assert np.argwhere(prompt.mask.mask)[:, 1].tolist() == [24, 25, 24, 25]
    far = on(movie, coarse, scale=(1, 1), translate=(300, 0))
    picture = picture_labels(far, movie, AXES, HERE)
    with pytest.raises(InputError, match="no label"):
        labels_to_prompts(picture, [0], taken=())
    turned = on(movie, coarse, scale=(1, 1), translate=(0, 0), rotate=30)
    with pytest.raises(InputError, match="turned against"):
        picture_labels(turned, movie, AXES, HERE)


def test_frames_and_planes_in_another_order():
    shape = (3, 4, 20, 30)
    axes = lay_out_layer(shape, ("z", "t", "y", "x"), 1, {0: 2})
    array = np.zeros(shape, np.uint16)
    array[2, 3, 5:8, 6:9] = 4
    array[1, 3, 5:8, 6:9] = 5
    layer = Labels(
        array, colormap=DirectLabelColormap(color_dict={None: "red", 4: "blue"})
    )
    picture = picture_labels(layer, Image(np.zeros(shape)), axes, (0, 0, 0, 0))
    intake = labels_to_prompts(picture, anchor_frames(0, 4, 1), taken=())
    assert [(one.object_id, one.frame_index) for one in intake.prompts] == [(4, 3)]
    np.testing.assert_array_equal(intake.prompts[0].mask.mask, array[2, 3] == 4)
    assert intake.colors[4] == (0, 0, 1, 1)

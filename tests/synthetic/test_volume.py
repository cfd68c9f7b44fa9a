"""Simulated movies of stacks: exact truth on every plane of every time point."""

import numpy as np
import pytest

from napari_sam2.errors import InputError
from napari_sam2.synthetic import MovieConfig, SimulatedVolume

PLANES = 9


def volume(**changes):
    facts = {
        "frame_count": 3,
        "frame_shape": (64, 64),
        "cell_count": 3,
        "cell_size": 20,
        "seed": 5,
    }
    return SimulatedVolume(MovieConfig(**facts | changes), PLANES)


def stack_of(read, frame_index):
    return np.stack([read(frame_index, plane) for plane in range(PLANES)])


@pytest.mark.parametrize("kind", ["nuclei", "phase", "bacteria"])
def test_cells_are_bodies_that_are_widest_at_their_centre(kind):
    one = volume(kind=kind, cell_count=1, open_border=False, division_rate=0)
    areas = (stack_of(one.labels, 0) == 1).sum((1, 2))
    widest = int(areas.argmax())
    assert (np.diff(areas[: widest + 1]) >= 0).all()
    assert (np.diff(areas[widest:]) <= 0).all()
    assert np.count_nonzero(areas) > 1


def test_planes_do_not_depend_on_the_order_of_access():
    first, second = volume(), volume()
    for read in ("frame", "labels"):
        expected = stack_of(getattr(first, read), 2)
        for plane in reversed(range(PLANES)):
            found = getattr(second, read)(2, plane)
            np.testing.assert_array_equal(found, expected[plane])


def test_cells_are_bright_where_the_truth_has_them():
    still = volume(noise=0.0, illumination=0.0)
    pixels, truth = stack_of(still.frame, 1), stack_of(still.labels, 1)
    assert truth.any()
    assert np.median(pixels[truth > 0]) > np.percentile(pixels[truth == 0], 95)


def test_lineage_is_what_the_labels_show():
    busy = volume(division_rate=0.3, frame_count=12, overlap=0.0)
    seen = {}
    for frame_index in range(busy.frame_count):
        for one in np.unique(stack_of(busy.labels, frame_index)).tolist():
            seen.setdefault(one, []).append(frame_index)
    told = {one.object_id: (one.first_frame, one.last_frame) for one in busy.lineage}
    del seen[0]
    assert told == {one: (frames[0], frames[-1]) for one, frames in seen.items()}
    daughters = [one for one in busy.lineage if one.parent is not None]
    assert daughters
    depths = busy._depths(busy.frame_count - 1)
    for one in daughters:
        assert depths[one.object_id - 1] == depths[one.parent - 1]


@pytest.mark.parametrize("planes", [1, 10**9])
def test_too_few_or_many_planes_are_refused(planes):
    with pytest.raises(InputError, match="simulated volume: planes is"):
        SimulatedVolume(MovieConfig(), planes)


def test_planes_that_are_not_there_are_refused():
    with pytest.raises(InputError, match="not frame 0, plane 9"):
        volume().frame(0, PLANES)

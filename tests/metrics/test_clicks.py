"""The simulator of clicks, against a slow second one."""

import numpy as np
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_sam2.metrics.clicks import Click, next_click

masks = arrays(bool, (7, 9))


def naive(truth, guess):
    """Whole frames, padded by one; pixel after pixel in row order."""
    best = {}
    for positive, region in ((True, truth & ~guess), (False, guess & ~truth)):
        padded = np.pad(region, 1)
        depth = ndimage.distance_transform_edt(padded)[1:-1, 1:-1]
        deepest, place = 0.0, None
        for y in range(depth.shape[0]):
            for x in range(depth.shape[1]):
                if depth[y, x] > deepest:
                    deepest, place = depth[y, x], (y, x)
        best[positive] = deepest, place
    positive = best[True][0] > best[False][0]
    place = best[positive][1]
    return None if place is None else Click(*place, positive)


@settings(deadline=None)
@given(masks, masks)
def test_clicks_are_those_of_the_slow_simulator(truth, guess):
    assert next_click(truth, guess) == naive(truth, guess)


@given(masks)
def test_the_first_click_compares_with_nothing(truth):
    assert next_click(truth) == next_click(truth, np.zeros_like(truth))


def test_what_is_too_much_wins_a_tie():
    truth, guess = np.zeros((2, 5, 12), bool)
    truth[1:4, 1:4] = guess[1:4, 7:10] = True
    assert next_click(truth, guess) == Click(2, 8, positive=False)

"""What is counted, against a slow second count of whole videos."""

from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_sam2.batch.benchmark.rules import OTHERS, RULES, VideoScorer
from napari_sam2.io.training.mask_videos import masks_of
from napari_sam2.metrics import boundary_similarity, region_similarity

movies = st.integers(2, 5).flatmap(
    lambda count: st.tuples(
        *(arrays(np.int32, (count, 3, 4), elements=st.integers(0, 2)) for _ in range(2))
    )
)


def counted(rules, truth, guess):
    """Return object → frame → (J, F), as the scorer has it."""
    video = SimpleNamespace(annotated=tuple(range(len(truth))), frame_shape=(3, 4))
    scorer = VideoScorer(rules, video)
    for index, pair in enumerate(zip(truth, guess, strict=True)):
        scorer.add(index, *map(masks_of, pair))
    return {
        score.object_id: {
            frame: pair
            for frame, *pair in zip(
                score.frame_indices,
                score.region_by_frame,
                score.boundary_by_frame,
                strict=True,
            )
        }
        for score in scorer.result()
    }


def naive(truth, guess, first_of, *, drops_ends):
    """Return the same from rules as whole movies have them."""
    found = {}
    for one in (1, 2):
        first = first_of(truth == one, guess == one)
        frames = [] if first is None else range(first, len(truth))
        inner = range(1, len(truth) - 1)
        chosen = [at for at in frames if not drops_ends or at in inner]
        if chosen:
            found[one] = {
                at: [
                    region_similarity(truth[at] == one, guess[at] == one),
                    boundary_similarity(truth[at] == one, guess[at] == one),
                ]
                for at in chosen
            }
    return found


def first_seen(masks):
    seen = np.flatnonzero(masks.any(axis=(1, 2)))
    return int(seen[0]) if len(seen) else None


@settings(deadline=None)
@given(movies)
def test_sav_counts_from_truth_or_prediction_without_the_ends(both):
    def appears(truth, guess):
        return first_seen(truth | guess)

    expected = naive(*both, appears, drops_ends=True)
    assert counted(RULES["sav-test"], *both) == expected


@settings(deadline=None)
@given(movies)
def test_davis_counts_objects_of_the_first_frame_without_the_ends(both):
    def is_first(truth, _):
        return 0 if truth[0].any() else None

    assert counted(RULES["davis"], *both) == naive(*both, is_first, drops_ends=True)


@settings(deadline=None)
@given(movies)
def test_others_count_after_their_own_first_mask(both):
    def after_own(truth, _):
        first = first_seen(truth)
        return None if first is None else first + 1

    assert counted(OTHERS, *both) == naive(*both, after_own, drops_ends=False)

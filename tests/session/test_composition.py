"""Where tracked masks meet labels that nobody tracked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_sam2.session.composition import merge_labels
from napari_sam2.session.planning.plan import MergePolicy

OWNED = (1, 2)
FOREIGN = (7, 9)
existing_labels = hnp.arrays(
    np.uint16, (3, 4), elements=st.sampled_from((0, 1, 2, 7, 9))
)
tracked_labels = hnp.arrays(np.uint32, (3, 4), elements=st.sampled_from((0, *OWNED)))


@given(existing_labels, tracked_labels)
def test_keep_changes_no_foreign_pixel(existing, tracked):
    merged = merge_labels(existing, tracked, OWNED, MergePolicy.KEEP)
    is_foreign = np.isin(existing, FOREIGN)
    np.testing.assert_array_equal(merged[is_foreign], existing[is_foreign])
    np.testing.assert_array_equal(merged[~is_foreign], tracked[~is_foreign])


@given(existing_labels, tracked_labels)
def test_replace_changes_no_tracked_pixel(existing, tracked):
    merged = merge_labels(existing, tracked, OWNED, MergePolicy.REPLACE)
    is_tracked = tracked > 0
    np.testing.assert_array_equal(merged[is_tracked], tracked[is_tracked])
    left = np.where(np.isin(existing, FOREIGN), existing, 0)
    np.testing.assert_array_equal(merged[~is_tracked], left[~is_tracked])


@given(existing_labels, tracked_labels)
def test_fill_leaves_frames_with_foreign_labels_alone(existing, tracked):
    merged = merge_labels(existing, tracked, OWNED, MergePolicy.FILL)
    expected = existing if np.isin(existing, FOREIGN).any() else tracked
    np.testing.assert_array_equal(merged, expected)


@pytest.mark.parametrize("policy", MergePolicy)
@given(existing=existing_labels, tracked=tracked_labels)
def test_merging_twice_is_merging_once(policy, existing, tracked):
    once = merge_labels(existing, tracked, OWNED, policy)
    twice = merge_labels(once, tracked, OWNED, policy)
    np.testing.assert_array_equal(twice, once)

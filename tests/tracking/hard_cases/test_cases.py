"""Cases are named by what is seen, and refused where they cannot work."""

from __future__ import annotations

import pytest

from napari_sam2.errors import InputError
from napari_sam2.tracking.hard_cases.names import HardCaseName, chosen_cases


def test_cases_come_once_and_others_are_refused():
    assert chosen_cases(["stage-jumps", "stage-jumps"]) == (HardCaseName.STAGE_JUMPS,)
    with pytest.raises(InputError, match="no hard case 'jumps': choose from stage"):
        chosen_cases(["jumps"])


def test_tiles_are_refused(make_predictor):
    with pytest.raises(InputError, match="hard case stage-jumps with tiles"):
        make_predictor(tile_size=32, hard_cases=["stage-jumps"])

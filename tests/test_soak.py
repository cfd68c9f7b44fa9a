"""A little of what `tools/soak_inputs.py` does for hours."""

import importlib.util
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).parent.parent / "tools" / "soak_inputs.py"
SPEC = importlib.util.spec_from_file_location("soak_inputs", PATH)
soak_inputs = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = soak_inputs  # dataclasses look for their module
SPEC.loader.exec_module(soak_inputs)
ROUNDS = {"prompts": 60, "tables": 60, "recipes": 60, "images": 60, "tiffs": 40}


@pytest.mark.parametrize("kind", [*ROUNDS, "labels", "zarrs"])
def test_broken_files_are_read_or_told_in_one_line(tmp_path, kind):
    rounds = ROUNDS.get(kind, 20)
    tally = soak_inputs.soak(kind, tmp_path, rounds=rounds, seconds=60, seed=7)
    assert tally.refused
    assert not tally.faults, tally.faults


def test_what_is_no_line_of_ours_is_a_fault(tmp_path):
    def fail(_path):
        raise KeyError("x")

    tally = soak_inputs.Tally()
    tally.take(fail, tmp_path)
    assert tally.faults.total() == 1

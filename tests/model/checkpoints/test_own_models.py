"""Own models: their names, their list, and their cards."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file

from napari_sam2.errors import InputError
from napari_sam2.model.checkpoints.own_models import (
    free_name,
    own_folder,
    own_model_path,
    own_models,
)

NOTES = {
    "base": "nano",
    "date": "2026-11-22",
    "held_out_before": "0.611",
    "held_out_after": "0.722",
}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SAM2_CACHE", str(tmp_path))
    return tmp_path


def put(name, notes=NOTES):
    path = own_model_path(name)
    path.parent.mkdir(exist_ok=True)
    save_file({"weight": np.zeros(2, np.float32)}, path, notes)
    return path


def test_without_a_folder_there_are_none(cache):
    assert own_models() == []
    assert not own_folder().exists()


def test_models_are_listed_with_what_their_files_say():
    path = put("rods")
    put("Cells", {})
    cells, rods = own_models()
    assert (cells.name, rods.name) == ("Cells", "rods")
    assert (rods.path, rods.base) == (path, "nano")
    assert "0.611 → 0.722" in rods.summary
    assert "2026-11-22" in rods.summary
    assert cells.base == ""


def test_the_card_lies_beside_the_file():
    path = put("rods")
    (rods,) = own_models()
    assert rods.card == rods.summary
    path.with_suffix(".md").write_text("# rods")
    assert rods.card == "# rods"


def test_a_broken_file_is_listed_and_says_so():
    put("rods").write_bytes(b"nothing")
    (rods,) = own_models()
    assert "broken" in rods.summary


@pytest.mark.parametrize(
    "name",
    ["", "a b", "../up", ".hidden", "nano", "NANO", "sam2_tiny", "x" * 61],
)
def test_names_that_no_model_can_have(name):
    with pytest.raises(InputError, match="name"):
        own_model_path(name)


def test_a_free_name_has_a_number():
    assert free_name("rods") == "rods"
    put("rods")
    put("rods-2")
    assert free_name("rods") == "rods-3"

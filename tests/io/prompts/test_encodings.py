"""Prompts as other editors, shells and spreadsheets write them."""

import json

import pytest

from napari_sam2.errors import InputError
from napari_sam2.io.prompts.files import read_prompts

MOVIE = {"frame_shape": (40, 50), "frame_count": 2}
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
PROMPTS = {
    "version": 1,
    "objects": [
        {"id": 3, "name": "früh µ", "prompts": [{"frame": 0, "points": [[25, 30]]}]}
    ],
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_of_any_unicode_is_read(tmp_path, encoding):
    path = tmp_path / "clicks.json"
    path.write_bytes(json.dumps(PROMPTS, ensure_ascii=False).encode(encoding))
    (item,) = read_prompts(path, **MOVIE)
    assert (item.object_id, item.name) == (3, "früh µ")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_of_any_unicode_and_spreadsheet_are_read(tmp_path, encoding, delimiter):
    path = tmp_path / "points.csv"
    text = "index,axis-0,axis-1,axis-2,label\r\n0,1.0,25.5,30.0,3\r\n"
    path.write_bytes(text.replace(",", delimiter).encode(encoding))
    (item,) = read_prompts(path, **MOVIE)
    assert (item.object_id, item.prompts[0].frame_index) == (3, 1)
    assert (item.prompts[0].points[0].y, item.prompts[0].points[0].x) == (25.5, 30)


def test_another_encoding_is_told(tmp_path):
    path = tmp_path / "clicks.json"
    path.write_bytes(json.dumps(PROMPTS, ensure_ascii=False).encode("latin-1"))
    with pytest.raises(InputError, match=r"clicks.json cannot be read as JSON.*UTF-8"):
        read_prompts(path, **MOVIE)


def test_a_path_may_begin_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "clicks.json").write_text(json.dumps(PROMPTS))
    assert len(read_prompts("~/clicks.json", **MOVIE)) == 1
    with pytest.raises(InputError, match="no such home folder"):
        read_prompts("~nobody-of-that-name/clicks.json", **MOVIE)

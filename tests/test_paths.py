"""Paths as people write them, and text files that are written whole."""

from pathlib import Path

import pytest

from napari_sam2.paths import replace_text


def test_two_that_write_one_file_at_once_do_not_take_each_others(tmp_path, monkeypatch):
    path, replace = tmp_path / "report.json", Path.replace

    def with_another(partial, target):
        monkeypatch.setattr(Path, "replace", replace)
        replace_text(path, "another's")
        return replace(partial, target)

    monkeypatch.setattr(Path, "replace", with_another)
    replace_text(path, "mine")
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_nothing_and_the_earlier_text(
    tmp_path, monkeypatch
):
    path = tmp_path / "report.json"
    replace_text(path, "earlier")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28)))
    with pytest.raises(OSError, match="28"):
        replace_text(path, "later")
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]

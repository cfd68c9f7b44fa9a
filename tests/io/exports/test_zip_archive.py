"""Archives that are written without being held are those that everybody reads."""

import zipfile

import pytest

from napari_sam2.io.exports import zip_archive
from napari_sam2.io.exports.zip_archive import ZipArchive


def write(path, files):
    with ZipArchive(path) as archive:
        for name, content in files.items():
            archive.add(name, content)


def contents(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("files", [{}, {"a.roi": b"", "Zelle ü.roi": b"cell" * 999}])
def test_an_archive_is_read_back(tmp_path, files):
    write(tmp_path / "a.zip", files)
    assert contents(tmp_path / "a.zip") == files


def test_more_files_than_a_plain_archive_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(zip_archive, "FULL16", 2)
    files = {f"{number}.roi": b"%d" % number for number in range(4)}
    write(tmp_path / "many.zip", files)
    assert b"PK\x06\x07" in (tmp_path / "many.zip").read_bytes()
    assert contents(tmp_path / "many.zip") == files


def test_places_beyond_the_plain_format_are_written_wide(tmp_path, monkeypatch):
    monkeypatch.setattr(zip_archive, "FULL32", 40)
    files = {"one": b"1" * 30, "two": b"2" * 30, "three": b"3" * 30}
    write(tmp_path / "far.zip", files)
    # What stands for "see the wide record" is the real number there.
    data = (tmp_path / "far.zip").read_bytes()
    far = data.replace(b"\x28\x00\x00\x00", b"\xff\xff\xff\xff")
    (tmp_path / "far.zip").write_bytes(far)
    assert contents(tmp_path / "far.zip") == files


def test_an_archive_that_fails_is_closed(tmp_path):
    with pytest.raises(OSError, match="gone"), ZipArchive(tmp_path / "a.zip"):
        raise OSError("gone")
    (tmp_path / "a.zip").unlink()

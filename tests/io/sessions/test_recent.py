"""The list of recent sessions never stands in anybody's way."""

import pytest

from napari_sam2.io.sessions.recent import LIMIT, RecentSession, RecentSessions


def test_newest_first_and_each_once(tmp_path):
    recent = RecentSessions(tmp_path / "config" / "recent.json")
    assert recent.read() == ()
    for name in ("a", "b", "a"):
        recent.add(tmp_path / f"{name}.zarr")
    again = RecentSessions(tmp_path / "config" / "recent.json")
    assert [one.path.name for one in again.read()] == ["a.zarr", "b.zarr"]
    again.remove(again.read()[0])
    assert [one.path.name for one in recent.read()] == ["b.zarr"]
    assert not recent.read()[0].exists
    (tmp_path / "b.zarr/labels/masklets").mkdir(parents=True)
    assert recent.read()[0].exists


def test_the_list_stays_short(tmp_path):
    recent = RecentSessions(tmp_path / "recent.json")
    for number in range(LIMIT + 3):
        listed = recent.add(tmp_path / f"{number}.zarr", "cells")
    assert listed == recent.read()
    assert len(listed) == LIMIT
    newest = tmp_path / f"{LIMIT + 2}.zarr"
    assert listed[0] == RecentSession(path=newest, name="cells")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"\xff\xfe", b'{"sessions": 3}']
)
def test_a_broken_file_is_an_empty_list(tmp_path, content):
    file = tmp_path / "recent.json"
    file.write_bytes(content)
    assert RecentSessions(file).read() == ()
    RecentSessions(file).add(tmp_path / "x.zarr")
    assert len(RecentSessions(file).read()) == 1


def test_a_folder_that_may_not_be_written_is_no_error(tmp_path):
    (tmp_path / "config").write_text("a file, where a folder should be")
    recent = RecentSessions(tmp_path / "config" / "recent.json")
    assert len(recent.add(tmp_path / "x.zarr")) == 1
    assert recent.read() == ()


def test_the_users_folder_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setattr(
        "napari_sam2.io.sessions.recent.user_config_path", lambda name: tmp_path / name
    )
    RecentSessions().add(tmp_path / "x.zarr")
    assert (tmp_path / "napari-sam2" / "recent-sessions.json").exists()

"""What is no file is told at once: a pipe is waited for, a device never ends."""

import io
import os
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_sam2.errors import InputError
from napari_sam2.io.imports.formats import open_tracked
from napari_sam2.io.movies.frame_sources import open_frames
from napari_sam2.io.movies.label_frames import EVERYTHING, cut_label_frames
from napari_sam2.io.prompts.files import read_prompts
from napari_sam2.io.training.coco import read_coco
from napari_sam2.io.training.images import read_pixels
from napari_sam2.train.recipe.config import read_config

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX's files"),
    pytest.mark.timeout(20),
]


def make(kind, path):
    """Make what hangs or never ends if it is read."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        with socket.socket(socket.AF_UNIX) as door:
            before = Path.cwd()
            os.chdir(path.parent)  # a socket's path is short
            try:
                door.bind(path.name)
            finally:
                os.chdir(before)
    return path


def read_mask(path):
    image = path.with_name("p.json")
    image.write_text(
        '{"version": 1, "objects": [{"id": 1, "prompts": '
        f'[{{"frame": 0, "mask": "{path.name}"}}]}}]}}'
    )
    return read_prompts(image, frame_shape=(8, 9), frame_count=1)


def prompts(path):
    return read_prompts(path, frame_shape=(8, 9), frame_count=1)


READERS = [
    (open_frames, "a.tif"),
    (open_frames, "a.npy"),
    (open_frames, "a.mp4"),
    (open_frames, "a.czi"),
    (prompts, "a.json"),
    (prompts, "a.csv"),
    (prompts, "a.png"),
    (read_mask, "a.png"),
    (lambda path: cut_label_frames(path, EVERYTHING), "a.tif"),
    (read_config, "a.toml"),
    (read_pixels, "a.png"),
    (open_tracked, "a.xml"),
    (open_tracked, "a.tif"),
    (lambda path: list(read_coco(path, path.parent)), "a.json"),
]


@pytest.mark.parametrize("kind", ["pipe", "device", "socket"])
@pytest.mark.parametrize(("read", "name"), READERS)
def test_pipes_and_devices_are_no_files(tmp_path, kind, read, name):
    path = make(kind, tmp_path / name)
    with pytest.raises(
        InputError, match=r"a pipe or a device|neither|no file|stays in the folder"
    ) as raised:
        read(path)
    assert "\n" not in str(raised.value)


def test_a_pipe_in_a_folder_of_images_is_told(tmp_path):
    for number in range(2):
        tifffile.imwrite(tmp_path / f"t{number}.tif", np.zeros((8, 9), np.uint8))
    make("pipe", tmp_path / "t2.tif")
    with pytest.raises(InputError, match=r"t2\.tif.*a pipe or a device"):
        open_frames(tmp_path)


def forbidden(*_, **__):
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize(("read", "name"), READERS)
@pytest.mark.parametrize("door", ["open", "stat"])
def test_what_nobody_may_read_is_told(tmp_path, monkeypatch, read, name, door):
    path = tmp_path / name
    path.write_bytes(b"II*\0 something")
    # Who is root may read everything: the refusal is made here.
    original = {"open": io.open, "stat": os.stat}[door]

    def guarded(file, *args, **kwargs):
        if isinstance(file, str | os.PathLike) and os.fspath(file) == str(path):
            forbidden()
        return original(file, *args, **kwargs)

    module = {"open": io, "stat": os}[door]
    monkeypatch.setattr(module, door, guarded)
    if door == "open":
        monkeypatch.setattr("builtins.open", guarded)
    with pytest.raises(InputError, match=r"Permission denied|not permitted") as raised:
        read(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("read", [open_frames, prompts])
def test_a_folder_that_nobody_may_enter_is_told(tmp_path, monkeypatch, read):
    for door in ("listdir", "scandir"):
        monkeypatch.setattr(os, door, forbidden)
    with pytest.raises(InputError, match="Permission denied") as raised:
        read(tmp_path)
    assert "\n" not in str(raised.value)

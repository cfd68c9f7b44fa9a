"""Recordings of programs whose files no library writes: made byte by byte."""

import json
import struct

import numpy as np
import pytest

from napari_sam2.errors import InputError
from napari_sam2.io.movies.frame_sources import open_frames

SHAPE = (8, 9)
LONG, RATIONAL = 4, 5


def tiff(pixels, *, header=b"", tags=()):
    """Return a TIFF of one page, and where its ``(…, Y, X)`` uint16 pixels begin.

    Parameters
    ----------
    pixels
        Of which the page tells only the first plane.
    header
        What stands between the first bytes and the page.
    tags
        ``(code, type, count, content)`` of further tags.
    """
    height, width = pixels.shape[-2:]
    plane = height * width * 2
    known = [(256, width), (257, height), (258, 16), (259, 1), (262, 1)]
    known += [(273, 0), (277, 1), (278, height), (279, plane)]
    entries = [(code, LONG, 1, struct.pack("<I", value)) for code, value in known]
    entries = sorted([*entries, *tags])
    start = 8 + len(header)
    behind = start + 2 + 12 * len(entries) + 4
    directory, content = struct.pack("<H", len(entries)), b""
    pixels_at = behind + sum(len(one[3]) for one in entries if len(one[3]) > 4)
    for code, kind, count, value in entries:
        if code == 273:
            value = struct.pack("<I", pixels_at)
        if len(value) > 4:
            place = struct.pack("<I", behind + len(content))
            content, value = content + value, place
        directory += struct.pack("<HHI", code, kind, count) + value
    first = b"II*\0" + struct.pack("<I", start)
    return first + header + directory + bytes(4) + content + pixels.tobytes(), pixels_at


def write_stk(path, pixels, *, distance=0, milliseconds=100):
    """Write a stack of MetaMorph."""
    count = len(pixels)
    planes = b"".join(
        struct.pack("<6I", distance, 1, 2460000, at * milliseconds, 2460000, 0)
        for at in range(count)
    )
    uic1 = (33628, LONG, 1, struct.pack("<2I", 0, 0))
    uic2 = (33629, RATIONAL, count, planes)
    path.write_bytes(tiff(pixels, tags=(uic1, uic2))[0])
    return path


def frames_of(path, **options):
    frames = open_frames(path, **options)
    try:
        read = [frames.read_raw(index)[0] for index in range(frames.frame_count)]
        return np.stack(read), frames.layout.axes
    finally:
        frames.close()


def test_planes_of_metamorph_are_planes(tmp_path, numbered):
    pixels = numbered((5, *SHAPE))
    stored, axes = frames_of(write_stk(tmp_path / "a.stk", pixels, distance=2))
    assert axes == "ZYX"
    np.testing.assert_array_equal(stored, pixels)


@pytest.mark.parametrize("milliseconds", [0, 100])
def test_times_of_metamorph_are_times(tmp_path, numbered, milliseconds):
    pixels = numbered((5, *SHAPE))
    path = write_stk(tmp_path / "a.stk", pixels, milliseconds=milliseconds)
    stored, axes = frames_of(path)
    assert axes == "TYX"
    np.testing.assert_array_equal(stored, pixels)


def test_stacks_of_metamorph_are_time_points_in_a_folder(tmp_path, numbered):
    pixels = numbered((3, 2, 4, *SHAPE))
    for time in range(3):
        for channel, dye in enumerate(("GFP", "DAPI")):
            name = f"exp_w{channel + 1}{dye}_t{time + 1}.stk"
            write_stk(tmp_path / name, pixels[time, channel], distance=1)
    with pytest.raises(InputError, match="4 z planes in each frame"):
        open_frames(tmp_path, channels=0)
    stored, axes = frames_of(tmp_path, channels=1, z=3)
    assert axes == "TCZYX"
    np.testing.assert_array_equal(stored, pixels[:, 1, 3])


def write_ndtiff(folder, pixels, names):
    """Write a recording of Micro-Manager: ``(P, T, C, Y, X)`` in one file."""
    summary = b'{"a": 1}'
    header = struct.pack("<5I", 483729, 3, 3, 2355492, len(summary)) + summary
    said = b'{"m": 1}\0'
    content, start = tiff(pixels, header=header, tags=((51123, 2, len(said), said),))
    (folder / "NDTiffStack.tif").write_bytes(content)
    index = b""
    for number, (position, time, channel) in enumerate(np.ndindex(pixels.shape[:3])):
        axes = {"position": position, "time": time, "channel": names[channel]}
        said, file = json.dumps(axes).encode(), b"NDTiffStack.tif"
        index += struct.pack("<I", len(said)) + said
        index += struct.pack("<I", len(file)) + file
        at = start + number * pixels[0, 0, 0].nbytes
        index += struct.pack("<IiiiiIii", at, SHAPE[1], SHAPE[0], 1, 0, 0, 0, 0)
    (folder / "NDTiff.index").write_bytes(index)


def test_positions_and_channels_of_ndtiff_are_chosen(tmp_path, numbered):
    pixels = numbered((2, 3, 2, *SHAPE))
    write_ndtiff(tmp_path, pixels, ("DAPI", "GFP"))
    for path in (tmp_path, tmp_path / "NDTiffStack.tif"):
        with pytest.raises(InputError, match="2 stage positions: choose one"):
            open_frames(path)
        with pytest.raises(InputError, match="2 channels: choose one"):
            open_frames(path, position=1)
        stored, _ = frames_of(path, position=1, channels=1)
        np.testing.assert_array_equal(stored, pixels[1, :, 1])

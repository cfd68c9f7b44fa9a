"""Damaged headers and metadata end in one line or in frames, never in a traceback."""

import json
import random

import numpy as np
import pytest
import tifffile
import zarr

from napari_sam2.errors import InputError
from napari_sam2.io.movies.frame_sources import open_frames

ROUNDS = 60
PIXELS = np.arange(4 * 16 * 18, dtype=np.uint16).reshape(4, 16, 18)
TIFFS = {
    "shaped": {"photometric": "minisblack"},
    "plain": {"photometric": "minisblack", "metadata": None},
    "imagej": {"imagej": True, "metadata": {"axes": "TYX"}},
    "ome": {"ome": True, "photometric": "minisblack", "metadata": {"axes": "TYX"}},
    "zlib": {"photometric": "minisblack", "compression": "zlib"},
    "big": {"photometric": "minisblack", "bigtiff": True, "tile": (16, 16)},
}
VALUES = (
    *(
        None,
        -1,
        0,
        1,
        3,
        10**12,
        2**63,
        1e308,
        float("inf"),
        True,
        "",
        "x",
        "²",
        "\udce9",
    ),
    *([], [1], ["a"], {}, {"a": 1}, [[]]),
)


def try_to_read(path):
    """Open and read; anything but frames or an error in one line fails the test."""
    try:
        frames = open_frames(path)
        try:
            for index in {0, frames.frame_count - 1}:
                frames.read(index)
        finally:
            frames.close()
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either way is right


@pytest.mark.parametrize("kind", TIFFS)
def test_tiffs_with_damaged_headers(tmp_path, kind):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PIXELS, **TIFFS[kind])
    whole = path.read_bytes()
    chance = random.Random(kind)
    with tifffile.TiffFile(path) as file:
        pixels = file.pages[0].dataoffsets[0]
    headers = [at for at in range(len(whole)) if not pixels <= at < pixels + 576]
    for _ in range(ROUNDS):
        content = bytearray(whole)
        for _ in range(chance.choice((1, 2, 8))):
            at = chance.choice(headers)
            content[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        if chance.random() < 0.2:
            del content[chance.randrange(len(content)) :]
        path.write_bytes(content)
        try_to_read(path)


def places(node, path=()):
    """Yield where something lies in nested JSON."""
    yield path
    children = node.items() if isinstance(node, dict) else ()
    children = enumerate(node) if isinstance(node, list) else children
    for key, child in children:
        yield from places(child, (*path, key))


def replaced(node, path, value):
    """Return JSON with another value in one place, or without it."""
    copy = json.loads(json.dumps(node))
    if not path:
        return value
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    if value is KeyError:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return copy


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_zarrs_with_damaged_metadata(write_ome_zarr, version):
    path = write_ome_zarr(PIXELS, version=version, translation=[1.0, 2.0, 3.0])
    chance = random.Random(version)
    names = (
        ("zarr.json", "0/zarr.json") if version == "0.5" else (".zattrs", "0/.zarray")
    )
    for name in names:
        file = path / name
        whole = json.loads(file.read_text())
        everywhere = [
            (place, value) for place in places(whole) for value in (KeyError, *VALUES)
        ]
        for place, value in chance.sample(everywhere, ROUNDS * 2):
            if value is KeyError and not place:
                continue
            file.write_text(json.dumps(replaced(whole, place, value)))
            try_to_read(path)
        file.write_text(json.dumps(whole))
    assert open_frames(path).frame_count == 4


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe{", b"[" * 9999]
)
@pytest.mark.parametrize("name", ["zarr.json", ".zarray", ".zgroup", ".zattrs"])
def test_zarrs_whose_metadata_are_no_json(tmp_path, name, content):
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / name).write_bytes(content)
    with pytest.raises(InputError) as raised:
        open_frames(tmp_path / "a.zarr")
    assert "\n" not in str(raised.value)


def test_paths_that_lead_nowhere_end_in_one_line(tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    paths = [loop, tmp_path / ("x" * 300), tmp_path / "\ud800.tif", tmp_path / "a\0b"]
    for path in [*paths, "~nobody-of-this-name/a.tif", tmp_path / "a.tif" / "b"]:
        with pytest.raises(InputError) as raised:
            open_frames(path)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("field", ["images", "frames", "slices", "channels"])
@pytest.mark.parametrize("value", ["many", "-3", "1e9", "999999999999", "0", "²"])
def test_counts_of_imagej_that_are_no_counts(tmp_path, field, value):
    path = tmp_path / "a.tif"
    text = f"ImageJ=1.54f\nimages=4\nframes=4\n{field}={value}\n"
    tifffile.imwrite(
        path,
        PIXELS,
        description=text.encode("utf-8"),
        metadata=None,
        photometric="minisblack",
    )
    try_to_read(path)


@pytest.mark.parametrize("values", [(-1e308, 1e308), (0, 5e-324), (1e300, 1e301)])
def test_extremes_of_float64_are_shown_or_refused(values):
    movie = np.zeros((2, 16, 16))
    movie[:, :8], movie[:, 8:] = values
    try_to_read(movie)


def test_unwritten_chunks_are_background(tmp_path):
    zarr.create_array(
        tmp_path / "a.zarr", shape=(9, 16, 16), chunks=(1, 16, 16), dtype="u2"
    )
    assert not open_frames(tmp_path / "a.zarr").read_raw(8).any()

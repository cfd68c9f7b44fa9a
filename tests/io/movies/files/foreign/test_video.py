"""Films that PyAV writes itself are read back, forward, backward and from anywhere."""

import sys

import numpy as np
import pytest

from napari_sam2.errors import InputError
from napari_sam2.io.movies.frame_sources import open_frames

COUNT, STEP = 12, 20


@pytest.fixture(params=["a.mp4", "a.avi", "a.mkv"])
def film(tmp_path, request):
    """Write a film whose frames get brighter one by one."""
    av = pytest.importorskip("av")
    path = tmp_path / request.param
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.gop_size = 5
        for number in range(COUNT):
            pixels = np.full((48, 64, 3), STEP * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_a_film_is_a_movie(film):
    frames = open_frames(film)
    assert (frames.frame_count, frames.frame_shape) == (COUNT, (48, 64))
    assert frames.layout.axes == "TYXS"
    assert frames.calibration.scale[0] == pytest.approx(0.1)
    for index in (*range(COUNT), 3, 11, 10, 9, 0, 7):
        assert abs(int(np.median(frames.read(index))) - STEP * index) <= 8
    frames.close()


def test_a_damaged_film_is_refused_in_one_line(film):
    film.write_bytes(film.read_bytes()[:400])
    with pytest.raises(InputError, match=film.name) as raised:
        open_frames(film)
    assert "\n" not in str(raised.value)


def test_without_the_package_a_film_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(b"film")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r'pip install "napari-sam2\[video\]"'):
        open_frames(tmp_path / "a.mp4")


def write_film(path, pictures, *, shown, codec, stored):
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = stored
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format=shown)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize(
    ("name", "shown", "codec", "stored"),
    [
        ("a.mkv", "gray16le", "ffv1", "gray16le"),
        ("a.mov", "gray16le", "png", "gray16be"),
        ("a.mov", "rgb48le", "png", "rgb48be"),
        ("a.avi", "rgb24", "rawvideo", "bgr24"),
    ],
)
def test_films_keep_their_depth(tmp_path, numbered, name, shown, codec, stored):
    samples = (3,) * shown.startswith("rgb")
    kind = np.uint8 if shown == "rgb24" else np.uint16
    pixels = (numbered((4, 16, 24, *samples)) * 31).astype(kind)
    write_film(tmp_path / name, pixels, shown=shown, codec=codec, stored=stored)
    frames = open_frames(tmp_path / name)
    for index in (2, 0, 3):
        raw = np.moveaxis(frames.read_raw(index), 0, -1)
        np.testing.assert_array_equal(raw.reshape(pixels[0].shape), pixels[index])
    frames.close()


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "rawvideo"), ("a.mkv", "ffv1")])
def test_a_film_that_was_cut_off_says_so(tmp_path, numbered, name, codec):
    path, pixels = tmp_path / name, numbered((8, 16, 24, 3)).astype(np.uint8)
    write_film(path, pixels, shown="rgb24", codec=codec, stored="bgr0")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=f"{name} cannot be read as film: the film "):
        open_frames(path)


def test_of_a_trimmed_film_what_was_cut_off_is_no_frame(tmp_path, numbered):
    """The frames before are kept, for decoding, and never shown."""
    av = pytest.importorskip("av")
    texture = numbered((48, 64, 3)) % 100
    pixels = np.stack([texture + 3 * number for number in range(8)]).astype(np.uint8)
    path, cut, by = tmp_path / "a.mp4", tmp_path / "cut.mp4", 3
    write_film(path, pixels, shown="rgb24", codec="mpeg4", stored="yuv420p")
    with av.open(str(path)) as whole, av.open(str(cut), "w") as trimmed:
        stream = trimmed.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(whole.streams.video[0]):
            if packet.pts is not None:
                packet.pts -= by * packet.duration
                packet.dts -= by * packet.duration
                packet.stream = stream
                trimmed.mux(packet)
    before, after = open_frames(path), open_frames(cut)
    assert after.frame_count == len(pixels) - by
    for index in range(after.frame_count):
        expected = before.read_raw(index + by)
        np.testing.assert_array_equal(after.read_raw(index), expected)
    before.close()
    after.close()

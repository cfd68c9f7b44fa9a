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

"""Microscopes' files, through readers that do as bioio's do."""

import sys
from datetime import timedelta
from types import ModuleType, SimpleNamespace

import dask.array as da
import numpy as np
import pytest

from napari_sam2.errors import InputError
from napari_sam2.io.movies.frame_sources import open_frames

MODULES = {".czi": "bioio_czi", ".nd2": "bioio_nd2", ".lif": "bioio_lif"}
SHAPE = (4, 2, 3, 12, 10)


class FakeReader:
    """What of bioio's readers is used: scenes, a labelled lazy array, and scales."""

    scenes = ("first",)
    shapes = (SHAPE,)
    dims = ("T", "C", "Z", "Y", "X")
    physical_pixel_sizes = SimpleNamespace(Z=2.0, Y=0.5, X=0.25)
    time_interval = timedelta(seconds=30)

    def __init__(self, path):
        self.set_scene(self.scenes[0])

    def set_scene(self, scene):
        self.at = self.scenes.index(scene)

    @property
    def xarray_dask_data(self):
        shape = self.shapes[self.at]
        pixels = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape) + self.at
        data = da.from_array(pixels, chunks=(1, 1, 1, *shape[-2:]))
        return SimpleNamespace(data=data, dims=self.dims, shape=shape)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Make a file, and a plugin whose reader has some facts of its own."""

    def write(suffix, **facts):
        module = ModuleType(MODULES[suffix])
        module.Reader = type("Reader", (FakeReader,), facts)
        monkeypatch.setitem(sys.modules, MODULES[suffix], module)
        path = tmp_path / f"a{suffix}"
        path.write_bytes(b"a microscope's file")
        return path

    return write


@pytest.mark.parametrize("suffix", MODULES)
def test_axes_and_scales_come_with_the_frames(write, suffix):
    path = write(suffix)
    with pytest.raises(InputError, match="3 z planes"):
        open_frames(path)
    frames = open_frames(path, z=1, channels=1)
    pixels = np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE)
    np.testing.assert_array_equal(frames.read_raw(3)[0], pixels[3, 1, 1])
    assert frames.calibration.scale == (30.0, 0.5, 0.25)
    assert frames.calibration.units == ("second", "micrometer", "micrometer")


def test_scenes_are_positions_to_choose_from(write):
    path = write(".czi", scenes=("a", "b"), shapes=(SHAPE, SHAPE))
    with pytest.raises(InputError, match="2 stage positions: choose one"):
        open_frames(path, z=0, channels=0)
    frames = open_frames(path, position=1, z=0, channels=0)
    assert frames.read_raw(0)[0, 0, 0] == 1


def test_scenes_of_different_shapes_are_refused(write):
    path = write(".lif", scenes=("a", "b"), shapes=(SHAPE, (1, *SHAPE[1:])))
    with pytest.raises(InputError, match="2 scenes of different shapes"):
        open_frames(path)


def test_axes_that_are_not_known_are_asked_for(write):
    path = write(".czi", dims=("H", "C", "Z", "Y", "X"))
    with pytest.raises(InputError, match="calls it 'h'"):
        open_frames(path)


def fail(*_):
    raise RuntimeError("no such block\nat all")


def test_a_reader_that_fails_is_named_in_one_line(write):
    path = write(".nd2", set_scene=fail)
    with pytest.raises(InputError, match=r"a\.nd2 cannot be read: no such block;"):
        open_frames(path)


def test_what_bioio_raises_of_its_own_is_one_line(write, monkeypatch):
    """A CZI that ended too early was a traceback: bioio's error is of no known kind."""
    failure = type("UnsupportedFileFormatError", (Exception,), {})
    exceptions = ModuleType("bioio_base.exceptions")
    exceptions.UnsupportedFileFormatError = failure
    monkeypatch.setitem(sys.modules, "bioio_base", ModuleType("bioio_base"))
    monkeypatch.setitem(sys.modules, "bioio_base.exceptions", exceptions)

    def refuse(*_):
        raise failure("not enough data\nat offset 0")

    path = write(".czi", set_scene=refuse)
    with pytest.raises(InputError, match=r"a\.czi cannot be read: not enough data;"):
        open_frames(path)


@pytest.mark.parametrize("suffix", MODULES)
def test_without_the_plugin_the_file_says_what_to_install(
    tmp_path, monkeypatch, suffix
):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"a microscope's file")
    monkeypatch.setitem(sys.modules, MODULES[suffix], None)
    package = MODULES[suffix].replace("_", "-")
    with pytest.raises(InputError, match=f"pip install {package}, or"):
        open_frames(path)

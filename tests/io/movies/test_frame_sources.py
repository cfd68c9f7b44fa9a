import json
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import dask.array as da
import numpy as np
import pytest
import tifffile
from dask.callbacks import Callback

from napari_sam2.errors import InputError
from napari_sam2.interfaces import Calibration, FrameSource
from napari_sam2.io.movies.frame_sources import open_frames
from napari_sam2.io.movies.intensity import IntensityMapping


class BlockCounter:
    """Makes blocks of frames, counting how many were made and how many live."""

    def __init__(self):
        self.made = []
        self.alive = weakref.WeakSet()
        self.most_alive = 0
        self._lock = threading.Lock()

    def make(self, block_info=None):
        location = block_info[None]
        first = location["array-location"][0][0]
        block = Block(location["chunk-shape"], np.uint16)
        block[...] = first
        with self._lock:
            self.made.append(first)
            self.alive.add(block)
            self.most_alive = max(self.most_alive, len(self.alive))
        return block


class Block(np.ndarray):
    """An array that lives as long as any view of it, and is hashed by identity."""

    __hash__ = object.__hash__


def lazy_movie(frames, chunk, counter):
    chunks = (chunk,) * (frames // chunk)
    return da.map_blocks(
        counter.make,
        chunks=(chunks, (32,), (32,)),
        dtype=np.uint16,
        meta=np.empty((0, 0, 0), np.uint16),
    )


@pytest.mark.parametrize(("chunk", "most_alive"), [(1, 2), (10, 3)])
def test_a_long_lazy_movie_is_never_held(chunk, most_alive):
    counter = BlockCounter()
    movie = lazy_movie(20_000, chunk, counter)
    frames = open_frames(movie)
    sampled = {frame // chunk * chunk for frame in frames.mapping.sampled_frames}
    assert sorted(counter.made) == sorted(sampled)
    counter.made.clear()
    for frame_index in [*range(100, 200), *reversed(range(100, 200))]:
        assert (frames.read_raw(frame_index) == frame_index // chunk * chunk).all()
    once_each_way = 2 * 100 // chunk
    assert len(counter.made) <= once_each_way
    assert counter.most_alive <= most_alive
    frames.close()
    assert len(counter.alive) <= 1


def test_huge_chunks_are_read_in_parts_that_fit():
    asked = []

    class Array:
        shape, dtype, chunks = (100, 4, 5), np.dtype(np.uint8), ((60, 40), (4,), (5,))

        def __getitem__(self, index):
            asked.append((index[0].start, index[0].stop))
            return np.zeros((index[0].stop - index[0].start, 4, 5), np.uint8)

    frames = open_frames(Array(), cache_bytes=2 * 25 * 20)
    for frame_index in range(100):
        frames.read(frame_index)
    assert asked == [(0, 25), (25, 50), (50, 60), (60, 85), (85, 100)]


def test_a_source_is_what_the_tracker_expects(movie):
    frames = open_frames(movie)
    assert isinstance(frames, FrameSource)
    assert frames.frame_count == 7
    assert frames.frame_shape == (12, 10)
    assert frames.calibration == Calibration()
    image = frames.read(3)
    assert (image.shape, image.dtype) == ((12, 10, 3), np.uint8)


def test_the_movie_is_stretched_alike_on_all_frames(movie):
    low, high = np.percentile(movie.astype(float), (0.1, 99.9))
    frames = open_frames(movie)
    for frame_index in (0, 6):
        scaled = np.clip((movie[frame_index] - low) / (high - low), 0, 1)
        np.testing.assert_array_equal(
            frames.read(frame_index)[..., 0], np.floor(scaled * 255 + 0.5)
        )


def test_options_reach_the_mapping(numbered):
    movie = numbered((4, 2, 6, 7))
    frames = open_frames(
        movie,
        axes="TCYX",
        channels=[1, 0],
        contrast_limits=[(0, 10), (5, 50)],
        gamma=[0.5, 2],
        invert=True,
    )
    assert frames.mapping == IntensityMapping(
        limits=((0, 10), (5, 50)), gamma=(0.5, 2.0), invert=True
    )
    same = open_frames(movie, axes="TCYX", channels=[1, 0], mapping=frames.mapping)
    np.testing.assert_array_equal(same.read(2), frames.read(2))


def test_one_pair_of_limits_serves_all_channels(numbered):
    frames = open_frames(
        numbered((4, 2, 6, 7)), axes="TCYX", channels=(0, 1), contrast_limits=(3, 9)
    )
    assert frames.mapping.limits == ((3, 9), (3, 9))


def test_uint8_is_stretched_only_if_asked(numbered):
    movie = numbered((2, 8, 9), np.uint8)
    np.testing.assert_array_equal(open_frames(movie).read(1)[..., 2], movie[1])
    stretched = open_frames(movie, percentiles=(0, 100))
    assert stretched.mapping.limits == ((0.0, 143.0),)


def test_provenance_tells_all_and_is_json(tmp_path, movie):
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, movie, metadata={"axes": "ZYX"})
    frames = open_frames(path, contrast_limits=(1, 9))
    frames.close()
    told = json.loads(json.dumps(frames.provenance))
    assert told["source"] == str(path)
    assert (told["axes"], told["frame_axis"]) == ("ZYX", "Z")
    assert told["shape"] == [7, 12, 10]
    assert told["dtype"] == "uint16"
    assert IntensityMapping(**told["intensity"]) == frames.mapping


def test_a_pyramid_gives_its_finest_level(movie):
    frames = open_frames([movie, movie[:, ::2, ::2]])
    assert frames.frame_shape == (12, 10)
    with pytest.raises(InputError, match="levels do not get smaller"):
        open_frames(list(movie))


def test_named_dimensions_are_axes(numbered):
    class Named:
        dims = ("T", "Z", "Y", "X")
        data = numbered((4, 3, 6, 7))
        shape, dtype = data.shape, data.dtype

    np.testing.assert_array_equal(
        open_frames(Named(), z=2).read_raw(1)[0], Named.data[1, 2]
    )


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        ("movie", {"contrast_limits": (1, 2), "percentiles": (1, 2)}, "not both"),
        ("movie", {"contrast_limits": (2, 1)}, "low must be below high"),
        ("movie", {"contrast_limits": (1, 2, 3)}, "contrast limits: give"),
        ("movie", {"contrast_limits": [(1, 2), (1, 3)]}, "each of the 1 channels"),
        ("movie", {"percentiles": (5, 5)}, "percentiles 5, 5"),
        ("movie", {"percentiles": (-1, 5)}, "0 ≤ low"),
        ("movie", {"percentiles": (5,)}, "two numbers"),
        ("movie", {"gamma": 0}, "gamma 0.0 must be above 0"),
        ("movie", {"gamma": (1, 1)}, "gamma: give one"),
        ("movie", {"mapping": IntensityMapping()}, "for uint8 images"),
        (
            "movie",
            {"mapping": IntensityMapping(limits=((0, 1), (0, 1)))},
            "for 2 channels",
        ),
        ("bool", {}, "array: its dtype bool is boolean"),
        ("empty", {}, "empty"),
        ("object", {}, "a dict is no image"),
        ("buffer", {}, "array cannot be read: .*; give a path or an array"),
        ("missing", {}, "does not exist"),
    ],
)
def test_bad_input_is_told_in_one_line(tmp_path, movie, source, options, words):
    sources = {
        "movie": movie,
        "bool": movie > 5,
        "empty": movie[:0],
        "object": {},
        "buffer": memoryview(movie),
        "missing": tmp_path / "nowhere.tif",
    }
    with pytest.raises(InputError, match=words) as raised:
        open_frames(sources[source], **options)
    assert "\n" not in str(raised.value)


def test_a_misspelt_option_is_refused(movie):
    with pytest.raises(TypeError, match="no option chanels"):
        open_frames(movie, chanels=0)


@pytest.mark.parametrize("lazy", [False, True])
def test_nan_in_a_frame_that_was_not_sampled_is_named_when_read(lazy):
    movie = np.zeros((50, 4, 5), np.float32)
    movie[1, 2, 3] = np.nan
    source = da.from_array(movie, chunks=(5, 4, 5)) if lazy else movie
    frames = open_frames(source, name="cells")
    frames.read(0)
    with pytest.raises(
        InputError, match=r"cells: frame 1 holds NaN .* row 2, column 3"
    ):
        frames.read(1)
    frames.read(2)


@pytest.mark.parametrize("chunk", [1, 5])
def test_several_threads_may_read_at_once(tmp_path, numbered, chunk):
    movie = numbered((40, 12, 10))
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, movie, compression="zlib")
    sources = [path, da.from_array(movie, chunks=(chunk, 12, 10))]
    for source in sources:
        frames = open_frames(source)
        order = np.random.default_rng(0).permutation(np.arange(40).repeat(5)).tolist()
        with ThreadPoolExecutor(8) as threads:
            for index, planes in zip(
                order, threads.map(frames.read_raw, order), strict=True
            ):
                np.testing.assert_array_equal(planes[0], movie[index])
        frames.close()


@pytest.mark.parametrize("frame_index", [-1, 7])
def test_frames_are_counted_from_zero(movie, frame_index):
    with pytest.raises(IndexError, match=f"frame {frame_index}"):
        open_frames(movie).read(frame_index)


def test_reading_after_close_is_an_error(movie):
    frames = open_frames(movie)
    frames.close()
    with pytest.raises(ValueError, match="closed"):
        frames.read(0)


def test_a_real_movie_keeps_its_contrast(request):
    path = request.config.rootpath.parent / "shared/data/dev/t98g-phase/movie.tif"
    if not path.exists():
        pytest.skip("the example data are not beside this checkout")
    frames = open_frames(path)
    image = frames.read(0)
    frames.close()
    assert frames.frame_count == 20
    ((low, high),) = frames.mapping.limits
    assert 5486 < low < 15_000
    assert high > 40_000
    assert image.std() > 20


@pytest.mark.parametrize(
    "error",
    [
        OSError("the share is gone"),
        tifffile.TiffFileError("the page is gone"),
        SyntaxError("broken PNG file"),  # what Pillow raises
    ],
)
def test_what_a_lazy_movie_fails_with_is_named_with_its_frame(error):
    def make(block_info=None):
        location = block_info[None]
        if location["array-location"][0][0] == 4:
            raise error
        return np.zeros(location["chunk-shape"], np.uint8)

    movie = da.map_blocks(
        make,
        chunks=((1,) * 6, (32,), (32,)),
        dtype=np.uint8,
        meta=np.empty((0, 0, 0), np.uint8),
    )
    frames = open_frames(movie, name="cells")
    frames.read(3)
    with pytest.raises(InputError, match=f"cells: frame 4 cannot be read: {error}"):
        frames.read(4)


def test_a_cache_that_a_viewer_registered_with_dask_is_left_alone():
    """In two threads at once it fails: a KeyError of napari's, or of ours."""
    told = []
    array = da.ones((3, 8, 8), chunks=(1, 8, 8), dtype=np.uint8)
    with Callback(pretask=lambda *_: told.append("a task")):
        array[0].compute()
        assert told
        told.clear()
        with closing(open_frames(array, contrast_limits=(0, 2))) as source:
            source.read(1)
    assert not told


def test_a_dask_array_of_unknown_chunks_says_what_to_call():
    movie = da.from_array(np.arange(5 * 6 * 7).reshape(5, 6, 7), chunks=(1, 6, 7))
    with pytest.raises(InputError, match=r"compute_chunk_sizes\(\)"):
        open_frames(movie[movie.mean(axis=(1, 2)) > 0])


@pytest.mark.parametrize("labels", [None, ("time", "y", "x"), ("t", "", "x")])
def test_what_is_like_a_dataset_of_hdf5_is_read(movie, labels):
    class Dimension:
        def __init__(self, label):
            self.label = label

    class Dataset:
        shape, dtype, chunks = movie.shape, movie.dtype, None
        dims = tuple(Dimension(label) for label in labels or ("", "", ""))

        def __getitem__(self, index):
            return movie[index]

    frames = open_frames(Dataset())
    assert frames.layout.axes == "TYX"
    np.testing.assert_array_equal(frames.read_raw(6)[0], movie[6])


@pytest.mark.parametrize("dtype", ["float128?", object()])
def test_an_array_whose_type_numpy_does_not_know_is_refused(dtype):
    class Strange:
        shape = (3, 8, 8)

    Strange.dtype = dtype
    with pytest.raises(InputError, match="give a path or an array of numbers"):
        open_frames(Strange())

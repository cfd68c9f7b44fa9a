"""Masklets as a dask array: the pixels of `track`, and no more work than asked for."""

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
from tests.batch.conftest import cells
from tests.batch.test_job import run

from napari_sam2.batch.job import ModelOptions, TrackJob
from napari_sam2.batch.lazy_stack import track_stack
from napari_sam2.errors import InputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.movies.intensity import IntensityMapping
from napari_sam2.io.prompts.files import write_prompts
from napari_sam2.prompts import FramePrompt, PointPrompt, PromptedObject
from napari_sam2.synthetic.clicks import clicks_inside

CHUNK = 4
FRAMES = 12
LIMITS = IntensityMapping(limits=((100.0, 3000.0),))


class Watched:
    """A stack on disk that writes down which chunks are read."""

    def __init__(self, array):
        self.array, self.read = array, []
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __getitem__(self, index):
        self.read.append(index[0].start // CHUNK)
        return self.array[index]


@pytest.fixture(scope="module")
def movie():
    return cells(FRAMES)


@pytest.fixture(scope="module")
def pixels(movie):
    return np.stack([movie.frame(index) for index in range(FRAMES)])


@pytest.fixture
def watched(pixels):
    return Watched(pixels)


@pytest.fixture
def stack(watched):
    made = da.from_array(watched, chunks=(CHUNK, 32, 40))
    watched.read.clear()  # dask looks at nothing, to see what it is
    return made


@pytest.fixture
def options(toy):
    return ModelOptions(model=str(toy), device="cpu")


def clicked(movie, frame, *ids):
    places = clicks_inside(movie.labels(frame))
    return [
        PromptedObject(
            one, (FramePrompt(one, frame, points=(PointPrompt(*places[one]),)),)
        )
        for one in ids or places
    ]


def test_it_equals_track_in_every_pixel(stack, pixels, options, movie, tmp_path):
    """Prompts on two frames: both sweeps write, and objects compete across them."""
    first, second = clicked(movie, 2, 1, 2)
    (third,) = clicked(movie, 8, 3)
    correction = clicked(movie, 10, 1)[0].prompts
    objects = [replace(first, prompts=first.prompts + correction), second, third]
    np.save(tmp_path / "stack.npy", pixels)
    write_prompts(tmp_path / "prompts.json", objects)
    job = TrackJob(
        movie=tmp_path / "stack.npy",
        prompts=tmp_path / "prompts.json",
        out=tmp_path / "out.zarr",
        model_options=options,
    )
    run(job)
    tracked = OmeZarrLabelStore.open(job.out, mode="r").array[:]
    lazy = track_stack(stack, objects, model=options)
    assert lazy.dtype == tracked.dtype
    assert lazy.chunks[0] == stack.chunks[0]
    np.testing.assert_array_equal(lazy.compute(scheduler="threads"), tracked)
    assert {1, 2, 3} <= set(np.unique(tracked))


def test_a_frame_reads_the_chunks_up_to_it_alone(stack, watched, options, movie):
    lazy = track_stack(stack, clicked(movie, 0), model=options, mapping=LIMITS)
    assert watched.read == []
    lazy[5].compute()
    assert set(watched.read) == {0, 1}


def test_all_of_it_reads_each_chunk_once(stack, watched, options, movie, tmp_path):
    lazy = track_stack(stack, clicked(movie, 0), model=options, mapping=LIMITS)
    lazy.to_zarr(str(tmp_path / "labels.zarr"))
    pieces = 4  # of a frame, along Y and X
    assert sorted(watched.read) == sorted(list(range(FRAMES // CHUNK)) * pieces)


def test_of_a_hundred_gigabytes_the_frames_asked_for_are_made(pixels, options, movie):
    made = []

    def generated(block_info=None):
        (start, stop), *_ = block_info[None]["array-location"]
        made.append(start // CHUNK)
        frames = np.zeros((stop - start, 1024, 1024), np.uint16)
        frames[:, :64, :80] = pixels[start:stop]
        return frames

    frames = 48_000
    shape = ((CHUNK,) * (frames // CHUNK), (1024,), (1024,))
    stack = da.map_blocks(generated, chunks=shape, dtype=np.uint16, meta=pixels[:0])
    assert stack.nbytes > 100e9
    lazy = track_stack(stack, clicked(movie, 0), model=options, mapping=LIMITS)
    assert made == []
    labels = lazy[CHUNK].compute()
    assert labels.shape == (1024, 1024)
    assert labels.any()
    assert set(made) == {0, 1}


def test_memory_between_tasks_has_one_size(pixels, options, movie):
    from napari_sam2.batch import lazy_stack

    sizes = []
    before = lazy_stack.run_piece

    def weighed(*arguments):
        memory, masks = before(*arguments)
        sizes.append(sum(one.nbytes for one in memory.values()))
        return memory, masks

    lazy_stack.run_piece = weighed
    try:
        stack = da.from_array(pixels, chunks=(2, -1, -1))
        objects = clicked(movie, 0)
        track_stack(stack, objects, model=options, mapping=LIMITS).compute(
            scheduler="single-threaded"
        )
    finally:
        lazy_stack.run_piece = before
    assert len(sizes) > FRAMES // 2 - 1
    assert len(set(sizes[1:])) == 1


def test_two_stacks_run_at_once(stack, pixels, options, movie):
    other = da.from_array(np.ascontiguousarray(pixels[::-1]), chunks=(8, -1, -1))
    objects = clicked(movie, 0)
    lazy = [track_stack(one, objects, model=options) for one in (stack, other)]
    together = da.stack(lazy).compute(scheduler="threads", num_workers=2)
    for image, one in zip(together, lazy, strict=True):
        np.testing.assert_array_equal(image, one.compute(scheduler="single-threaded"))


@pytest.mark.parametrize(
    ("shape", "said"), [((4, 3, 20, 20), "stack\\[:, 0\\]"), ((4, 20, 20), "outside")]
)
def test_what_does_not_fit_is_refused_at_once(shape, said, options):
    objects = [PromptedObject(1, (FramePrompt(1, 0, points=(PointPrompt(30, 3),)),))]
    with pytest.raises(InputError, match=said):
        track_stack(da.zeros(shape, dtype=np.uint8), objects, model=options)

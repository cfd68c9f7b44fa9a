"""The movie is known by its pixels: another one under the same name is refused."""

import json
from contextlib import closing

import imagecodecs
import numpy as np
import pytest
import tifffile
import zarr

from napari_sam2.batch.job import FrameOptions, ModelOptions, TrackJob, open_run
from napari_sam2.errors import OutputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.movies.fingerprint import (
    MOST_FRAMES,
    fingerprint_of,
    hashed_frames,
)
from napari_sam2.io.movies.frame_sources import open_frames
from napari_sam2.session.planning.plan import MergePolicy


def movie(dy, dx, frames=5):
    yy, xx = np.mgrid[:64, :80]
    return np.stack(
        [
            20 + 200 * (np.hypot(yy - 40 - dy * t, xx - 20 - dx * t) < 8)
            for t in range(frames)
        ]
    ).astype(np.uint8)


@pytest.fixture
def folder(tmp_path, toy):
    """A folder with ``movie.tif``, in which one object was tracked."""
    save(tmp_path, movie(0, 3))
    track(tmp_path, toy)
    return tmp_path


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    from napari_sam2.model.checkpoints.checkpoint import build_model, save_model

    path = tmp_path_factory.mktemp("models") / "toy.safetensors"
    save_model(build_model("toy", seed=3), path)
    return str(path)


def save(folder, pixels, name="movie.tif"):
    axes = {"axes": "TYX"[-pixels.ndim :]}
    tifffile.imwrite(folder / name, pixels, photometric="minisblack", metadata=axes)


def track(folder, toy, object_id=1, name="movie.tif", **options):
    prompts = folder / f"{object_id}.json"
    said = [{"frame": 0, "points": [[40, 20]]}]
    document = {"version": 1, "objects": [{"id": object_id, "prompts": said}]}
    prompts.write_text(json.dumps(document))
    job = TrackJob(
        movie=folder / name,
        prompts=prompts,
        out=folder / "out.zarr",
        model_options=ModelOptions(model=toy),
        **options,
    )
    with open_run(job) as run:
        done = list(run.frames())
    return done, run.remark


def labels(folder):
    return np.asarray(zarr.open(folder / "out.zarr/labels/masklets/0", mode="r")[:])


@pytest.mark.parametrize("frame", [0, 4])
def test_a_finished_run_of_another_movie_is_not_resumed(folder, toy, frame):
    changed = movie(0, 3)
    changed[frame] = movie(-6, 0)[frame] + 1
    save(folder, changed)
    with pytest.raises(OutputError, match=f"another movie: frame {frame}") as caught:
        track(folder, toy, resume=True)
    assert "--accept-movie" in str(caught.value)


def test_nor_is_another_movie_merged_into_it(folder, toy):
    before = labels(folder)
    save(folder, movie(-6, 0))
    with pytest.raises(OutputError, match="another movie"):
        track(folder, toy, object_id=2, merge=MergePolicy.KEEP)
    np.testing.assert_array_equal(labels(folder), before)
    # The lock was let go of: somebody who knows better goes on.
    done, _ = track(folder, toy, object_id=2, merge=MergePolicy.KEEP, accept_movie=True)
    assert done
    known = OmeZarrLabelStore.open(folder / "out.zarr", mode="r").provenance
    with closing(open_frames(folder / "movie.tif")) as frames:
        assert known.fingerprint == fingerprint_of(frames)


def test_a_run_that_was_stopped_is_not_mixed_with_another_movie(folder, toy):
    job = TrackJob(
        movie=folder / "movie.tif",
        prompts=folder / "1.json",
        out=folder / "out.zarr",
        model_options=ModelOptions(model=toy),
        overwrite=True,
    )
    with open_run(job) as run:
        steps = run.frames()
        for _ in range(3):
            next(steps)
        steps.close()
    save(folder, movie(-6, 0))
    with pytest.raises(OutputError, match="another movie"):
        track(folder, toy, resume=True)
    done, _ = track(folder, toy, resume=True, accept_movie=True)
    assert done[0].position == 4


def test_the_same_pixels_under_another_name_are_the_same_movie(folder, toy):
    (folder / "movie.tif").rename(folder / "better-name.tif")
    done, remark = track(folder, toy, name="better-name.tif", resume=True)
    assert (done, remark) == ([], None)


def test_what_an_earlier_version_wrote_is_told_once_and_known_from_then_on(folder, toy):
    file = folder / "out.zarr/labels/masklets/zarr.json"
    document = json.loads(file.read_text())
    del document["attributes"]["napari-sam2"]["provenance"]["fingerprint"]
    file.write_text(json.dumps(document))
    _, remark = track(folder, toy, resume=True)
    assert "before movies were known by their pixels" in remark
    _, remark = track(folder, toy, resume=True)
    assert remark is None
    save(folder, movie(-6, 0))
    with pytest.raises(OutputError, match="another movie"):
        track(folder, toy, resume=True)


# --- Movies in other files, and how much is read


def test_a_channel_of_a_zarr_is_known_by_that_channel(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 9, (6, 2, 8, 9), np.uint16)
    one, other = tmp_path / "one.zarr", tmp_path / "other.zarr"
    options = FrameOptions(axes="TCYX", channels=(1,)).model_dump()
    for path, changed in ((one, (0, 3)), (other, (1, 5))):
        channel, frame = changed
        array = pixels.copy()
        array[frame, channel] += 1
        zarr.create_array(path, data=array)
    original = fingerprint_of(open_frames(pixels, **options))
    # Only another channel differs.
    assert original.different_frame(fingerprint_of(open_frames(one, **options))) is None
    assert original.different_frame(fingerprint_of(open_frames(other, **options))) == 5


def test_of_other_channels_nothing_is_known():
    pixels = np.random.default_rng(0).integers(0, 9, (6, 2, 8, 9), np.uint16)
    first, second = (
        fingerprint_of(open_frames(pixels, axes="TCYX", channels=channel))
        for channel in (0, 1)
    )
    assert first.frames != second.frames
    assert first.different_frame(second) is None


def write_png_folder(folder, pixels):
    folder.mkdir()
    for number, frame in enumerate(pixels):
        content = imagecodecs.png_encode(frame)
        (folder / f"cells_t{number:02d}.png").write_bytes(content)
    return {}


def write_hyperstack(path, pixels):
    """Write as ImageJ does: two planes and two channels, of which one is tracked."""
    planes = np.zeros((len(pixels), 2, 2, *pixels.shape[1:]), np.uint16)
    planes[:, 1, 0] = pixels
    tifffile.imwrite(path, planes, imagej=True, metadata={"axes": "TZCYX"})
    return {"z": 1, "channels": (0,)}


def write_positions(path, pixels):
    """Write as OME-TIFF does: two stage positions in one file."""
    with tifffile.TiffWriter(path, ome=True) as file:
        for position in (np.zeros_like(pixels), pixels):
            file.write(position, photometric="minisblack", metadata={"axes": "TYX"})
    return {"position": 1}


def write_stack(path, pixels):
    """Write as OME-Zarr 0.4 does: a z-stack at the second of two time points."""
    group = zarr.open_group(path, mode="w", zarr_format=2)
    stack = np.stack([np.zeros_like(pixels), pixels])
    group.create_array("0", data=stack, chunks=(1, 2, *pixels.shape[1:]))
    axes = [{"name": "t", "type": "time"}]
    axes += [{"name": name, "type": "space"} for name in "zyx"]
    scale = [{"type": "scale", "scale": [1.0] * 4}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    entry = {"version": "0.4", "axes": axes, "datasets": datasets}
    group.attrs["multiscales"] = [entry]
    return {"t": 1}


def write_colors(path, pixels):
    np.save(path, np.stack([pixels, pixels, pixels], axis=-1))
    return {}


MOVIES = {
    "cells": write_png_folder,
    "hyper.tif": write_hyperstack,
    "positions.ome.tif": write_positions,
    "stack.zarr": write_stack,
    "colors.npy": write_colors,
}


@pytest.mark.parametrize("name", MOVIES)
def test_movies_of_every_structure_are_known_by_their_pixels(tmp_path, name):
    pixels = movie(0, 3, frames=6)
    changed = pixels.copy()
    changed[3, 5, 7] ^= 1
    known = {}
    for folder, written in (("a", pixels), ("b", pixels), ("c", changed)):
        (tmp_path / folder).mkdir()
        options = MOVIES[name](tmp_path / folder / name, written)
        chosen = FrameOptions(**options).model_dump()
        with closing(open_frames(tmp_path / folder / name, **chosen)) as frames:
            known[folder] = fingerprint_of(frames)
    assert known["a"].different_frame(known["b"]) is None
    assert known["a"].different_frame(known["c"]) == 3


@pytest.mark.parametrize("count", [1, 2, 5, 8, 9, 1000, 10_000_000])
def test_few_frames_are_read_whatever_the_length(count):
    class Counted:
        frame_count = count
        provenance = {"shape": [count, 2, 2]}  # noqa: RUF012
        reads = []  # noqa: RUF012

        def read_raw(self, frame_index):
            self.reads.append(frame_index)
            return np.full((1, 2, 2), frame_index % 251, np.uint8)

    source = Counted()
    known = fingerprint_of(source)
    assert len(source.reads) <= MOST_FRAMES
    assert {0, count - 1} <= set(source.reads) == set(known.frames)
    assert hashed_frames(count) == sorted(known.frames)
    if count > 1000:
        assert len(source.reads) == MOST_FRAMES

"""The movie is known by its pixels: another one under the same name is refused."""

import json
from contextlib import closing

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

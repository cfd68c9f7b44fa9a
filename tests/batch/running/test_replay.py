"""A session of the window, planned for its own movie, gives its own bytes."""

import os

import numpy as np
import pytest
import zarr
from tests.engine.engine_steps import Table, click, movie_input

from napari_sam2.batch.plan.making import pinned, plan_like
from napari_sam2.batch.plan.plan import plan_of
from napari_sam2.batch.running.batch import run_plan
from napari_sam2.engine import Request
from napari_sam2.errors import InputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.sessions.document import SavedChannel, SessionDocument
from napari_sam2.synthetic import MovieConfig, SimulatedMovie
from napari_sam2.synthetic.clicks import clicks_inside
from napari_sam2.tiles import TileLayout
from napari_sam2.ui.movie.saved import mapping_of

MODEL = os.environ.get("NAPARI_SAM2_TEST_MODEL", "nano")
FRAMES = 8


@pytest.fixture(scope="module")
def large_cells():
    config = MovieConfig(
        frame_count=FRAMES, frame_shape=(96, 112), cell_count=3, cell_size=26,
        division_rate=0, overlap=0, open_border=False, seed=4,
    )  # fmt: skip
    return SimulatedMovie(config)


@pytest.fixture(scope="module")
def session(large_cells, tmp_path_factory):
    """A movie on disk, and the masklets that somebody made of it in the window."""
    return made_in(tmp_path_factory.mktemp("replay"), large_cells, (0, 5))


def made_in(folder, cells, prompted, tiles=None):
    """Track two cells in the window, one of them corrected on a later frame."""
    count = prompted[1] + 3
    frames = np.stack([cells.frame(index) for index in range(count)])
    array = zarr.create_array(
        folder / "movie.zarr", data=frames, chunks=(1, *frames.shape[1:])
    )
    request = Request(
        movie_input(array, (90.0, 2500.0)),
        MODEL,
        folder / "session.zarr",
        device="cpu",
        precision="fp32",
        tiles=tiles,
    )
    table = Table(request, count)
    first, later = (clicks_inside(cells.labels(frame)) for frame in prompted)
    places = list(first.items())[:2]
    table.say(*(click(one, prompted[0], place) for one, place in places))
    # A correction, seen with the memory of then.
    table.say(click(1, prompted[1], later[1]))
    table.track()
    document = SessionDocument(
        book=table.book.state, image=mapping_of(request.image, {"layer": "movie"})
    )
    list(table.engine.save(request, document))
    table.engine.close()
    return folder


# Repairs of a session compute fewer objects together, which rounds logits otherwise.
def test_a_session_replayed_on_its_own_movie_gives_the_same_bytes(session, tmp_path):
    made = plan_like(session / "session.zarr", (str(session / "movie.zarr"),))
    assert made.model_options.device == "cpu"
    theirs, ours = replayed(made, session, tmp_path)
    for name in ("object_score", "predicted_iou", "stability", "area"):
        np.testing.assert_array_equal(
            ours.read_score_table(name), theirs.read_score_table(name)
        )


def test_a_session_in_tiles_is_replayed_in_the_tiles_that_were_chosen(
    large_cells, tmp_path
):
    session = made_in(tmp_path, large_cells, (0, 1), tiles=80)
    made = plan_like(session / "session.zarr", (str(session / "movie.zarr"),))
    assert made.model_options.tiles == 80
    theirs, ours = replayed(made, session, tmp_path)
    assert len(ours.layout) > 1
    for frame_index in range(ours.frame_count):
        tiles = (one.read_tiles(frame_index, (1, 2)).tolist() for one in (theirs, ours))
        assert next(tiles) == next(tiles)


def replayed(made, session, tmp_path):
    """Run a plan, after a time as a file; return the stores, whose bytes are equal."""
    again = plan_of(made.to_json(), "plan.json").model_copy(
        update={"out": str(tmp_path / "again.zarr"), "retries": 0}
    )
    report = run_plan(again, tmp_path / "report")
    assert [one.error for one in report.movies] == [""]
    theirs = OmeZarrLabelStore.open(session / "session.zarr", mode="r")
    ours = OmeZarrLabelStore.open(tmp_path / "again.zarr", mode="r")
    np.testing.assert_array_equal(ours.array[:], theirs.array[:])
    assert theirs.array[:].any()
    for frame_index in range(ours.frame_count):
        for a, b in zip(
            ours.read_logits(frame_index), theirs.read_logits(frame_index), strict=True
        ):
            np.testing.assert_array_equal(a, b)
    return theirs, ours


def test_in_another_movie_its_prompts_stand_at_the_same_positions(session, tmp_path):
    other = np.asarray(zarr.open_array(session / "movie.zarr", mode="r"))[::-1]
    np.save(tmp_path / "other.npy", other)
    made = plan_like(
        session / "session.zarr", (str(tmp_path / "other.npy"),), frames=(0, 2)
    )
    (planned,) = made.planned()
    from napari_sam2.io.movies.frame_sources import open_frames

    source = open_frames(tmp_path / "other.npy")
    prompts = planned.job.read_prompts(source)
    assert prompts.anchors == ()
    assert [len(one.prompts) for one in prompts.objects] == [2, 1]
    np.save(tmp_path / "small.npy", other[:, :20, :20])
    with pytest.raises(InputError, match="outside the frame of 20 × 20"):
        planned.job.read_prompts(open_frames(tmp_path / "small.npy"))


def test_what_auto_chooses_is_written_down(session):
    options = plan_like(session / "session.zarr", ("a.tif",)).model_options
    unsaid = options.model_copy(
        update={"device": "auto", "precision": "auto", "threads": None}
    )
    chosen = pinned(unsaid)
    assert "auto" not in (chosen.device, chosen.precision)
    assert chosen.threads >= 1


def test_a_session_of_channels_that_no_file_has_is_refused(session, monkeypatch):
    green = SavedChannel(
        color="green", layer="gfp", index=None, limits=(0, 1), gamma=1, invert=False
    )

    def read(store):
        document = SessionDocument()
        seen = document.image.model_copy(update={"seen": (green,)})
        return document.model_copy(update={"image": seen})

    monkeypatch.setattr(OmeZarrLabelStore, "read_session", read)
    with pytest.raises(InputError, match="saw green of gfp, which no single file"):
        plan_like(session / "session.zarr", ("a.tif",))


def test_a_session_of_a_region_is_refused(session, monkeypatch):
    region = TileLayout.of_region((96, 112), (10, 10, 40, 40))
    monkeypatch.setattr(OmeZarrLabelStore, "layout", region)
    with pytest.raises(InputError, match="only a region of its movie"):
        plan_like(session / "session.zarr", ("a.tif",))


def test_a_folder_without_a_session_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no session"):
        plan_like(tmp_path, ("a.tif",))

"""Simulated movies: frames, truth and lineage."""

import itertools
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam2.errors import InputError
from napari_sam2.synthetic import PRESETS, MovieConfig, SimulatedMovie

KINDS = ["nuclei", "phase", "bacteria"]

configs = st.builds(
    MovieConfig,
    kind=st.sampled_from([*KINDS, "filaments"]),
    frame_count=st.just(25),
    frame_shape=st.sampled_from([(64, 80), (97, 51)]),
    cell_count=st.integers(1, 8),
    seed=st.integers(0, 10**6),
    bit_depth=st.sampled_from([8, 16]),
    cell_size=st.sampled_from([None, 15.0, 30.0]),
    speed=st.sampled_from([None, 0.0, 5.0]),
    division_rate=st.sampled_from([0.0, 0.01, 0.2]),
    deformation=st.sampled_from([0.0, 1.0, 3.0]),
    overlap=st.sampled_from([0.0, 0.3, 1.0]),
    open_border=st.booleans(),
    noise=st.sampled_from([0.0, 1.0]),
)


def eventful(kind: str, **changes) -> SimulatedMovie:
    """A small movie in which cells divide, come and go."""
    config = MovieConfig(
        kind=kind,
        frame_count=90,
        frame_shape=(96, 128),
        cell_count=6,
        seed=11,
        cell_size=24,
        speed=1.5,
        division_rate=0.02,
    )
    return SimulatedMovie(replace(config, **changes))


@settings(max_examples=25)
@given(configs, st.permutations(range(0, 25, 3)))
def test_frames_do_not_depend_on_the_order_of_access(config, order):
    in_order, shuffled = SimulatedMovie(config), SimulatedMovie(config)
    expected = {i: (in_order.frame(i), in_order.labels(i)) for i in sorted(order)}
    for index in order:
        labels, frame = shuffled.labels(index), shuffled.frame(index)
        np.testing.assert_array_equal(frame, expected[index][0])
        np.testing.assert_array_equal(labels, expected[index][1])


@settings(max_examples=25)
@given(configs)
def test_lineage_is_exactly_what_the_labels_show(config):
    movie = SimulatedMovie(config)
    seen: dict[int, list[int]] = {}
    for index in range(movie.frame_count):
        for object_id in np.unique(movie.labels(index)):
            seen.setdefault(int(object_id), []).append(index)
    seen.pop(0, None)
    shown = {key: (frames[0], frames[-1]) for key, frames in seen.items()}
    told = {t.object_id: (t.first_frame, t.last_frame) for t in movie.lineage}
    assert told == shown
    assert len(told) == len(movie.lineage)  # no id twice


@settings(max_examples=25)
@given(configs)
def test_daughters_begin_where_their_mother_ended(config):
    tracks = {track.object_id: track for track in SimulatedMovie(config).lineage}
    for track in tracks.values():
        if track.parent is not None:
            mother = tracks[track.parent]
            assert mother.object_id < track.object_id
            assert mother.last_frame < track.first_frame


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_happens_to_cells_happens(kind):
    movie = eventful(kind)
    tracks = movie.lineage
    last = movie.frame_count - 1
    mothers = {track.parent for track in tracks} - {None}
    entered = [t for t in tracks if t.first_frame > 0 and t.parent is None]
    left = [t for t in tracks if t.last_frame < last - 1 and t.object_id not in mothers]
    assert mothers
    assert entered
    assert left
    # A daughter lies next to where her mother was.
    ends = {track.object_id: track.last_frame for track in tracks}
    daughter = next(t for t in tracks if ends.get(t.parent) == t.first_frame - 1)
    before = movie.labels(daughter.first_frame - 1) == daughter.parent
    after = movie.labels(daughter.first_frame) == daughter.object_id
    assert np.any(before & after)


@pytest.mark.parametrize("kind", KINDS)
def test_cells_change_their_shape_smoothly(kind):
    movie = eventful(kind, division_rate=0.0, open_border=False, speed=0.0)
    areas = np.array(
        [np.bincount(movie.labels(i).ravel(), minlength=7)[1:] for i in range(90)]
    )
    assert areas.min() > 0
    relative = np.abs(np.diff(areas, axis=0)) / areas[:-1]
    assert relative.max() < 0.25
    still = eventful(kind, deformation=0.0, noise=0.0, speed=0.0, overlap=1.0)
    if kind != "bacteria":  # rods grow all the same
        np.testing.assert_array_equal(still.labels(0), still.labels(5))


def test_filaments_are_rods_a_fifth_as_wide():
    rods, filaments = (
        eventful(kind, cell_count=1, cell_size=90, overlap=1.0)
        for kind in ("bacteria", "filaments")
    )
    thick, thin = (np.count_nonzero(movie.labels(0)) for movie in (rods, filaments))
    assert 0.15 < thin / thick < 0.25
    assert filaments.frame(0).min() < np.percentile(filaments.frame(0), 50) * 0.8


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bit_depth", [8, 16])
def test_cells_stand_out_from_the_background(kind, bit_depth):
    movie = eventful(kind, bit_depth=bit_depth, division_rate=0.0, illumination=0.0)
    frame, labels = movie.frame(0), movie.labels(0)
    assert frame.dtype == movie.dtype == np.dtype(f"uint{bit_depth}")
    assert labels.dtype == np.uint16
    assert frame.shape == labels.shape == movie.frame_shape
    background = frame[labels == 0].astype(float)
    for object_id in np.unique(labels)[1:]:
        inside = frame[labels == object_id].astype(float)
        if kind == "nuclei":
            assert inside.mean() > background.mean() + 4 * background.std()
        else:
            assert inside.mean() < np.median(background) - 0.5 * background.std()


def test_of_two_overlapping_cells_always_the_same_one_is_on_top():
    movie = eventful("nuclei", cell_count=20, overlap=1.0, cell_size=40)
    winners: dict[tuple[int, int], set[int]] = {}
    for index in range(0, 60, 4):
        labels = movie.labels(index)
        masks = {}
        for object_id, (_, shape) in movie._scene(index):
            masks[object_id] = np.zeros(labels.shape, bool)
            masks[object_id][shape.window] = shape.mask
        np.testing.assert_array_equal(labels > 0, np.any(list(masks.values()), axis=0))
        for pair in itertools.combinations(sorted(masks), 2):
            seen = labels[masks[pair[0]] & masks[pair[1]]]
            winners.setdefault(pair, set()).update({*seen.tolist()} & {*pair})
    decided = [ids for ids in winners.values() if ids]
    assert len(decided) > 20
    assert all(len(ids) == 1 for ids in decided)


def test_fluorescence_bleaches_down_to_a_floor():
    movie = eventful("nuclei", frame_count=600, bleaching=0.02, noise=0.0)
    still = eventful("nuclei", frame_count=600, bleaching=0.0, noise=0.0)
    ratios = []
    for index in (0, 60, 599):
        signal, reference = (
            m.frame(index).astype(float) - m.frame(index).min() for m in (movie, still)
        )
        ratios.append(signal.max() / reference.max())
    assert ratios[0] == 1
    assert 0.4 < ratios[1] < 0.6
    assert ratios[2] == pytest.approx(0.3, abs=0.02)


def test_noise_is_that_of_counted_light():
    """Variance grows with brightness, on top of the same noise-free picture."""
    noisy, clean = eventful("nuclei"), eventful("nuclei", noise=0.0)
    index = 3
    reference = clean.frame(index).astype(float)
    residual = noisy.frame(index) - reference
    bright, dark = reference > np.quantile(reference, 0.97), reference < 400
    assert abs(residual.mean()) < 3
    assert residual[bright].std() > 1.5 * residual[dark].std() > 0
    assert not np.array_equal(
        noisy.frame(index + 1) - clean.frame(index + 1).astype(float), residual
    )


def test_light_falls_off_towards_a_corner():
    movie = eventful("phase", illumination=0.6, cell_count=1, division_rate=0.0)
    frame = movie.frame(0).astype(float)
    corners = [frame[y, x].mean() for y in np.s_[:8, -8:] for x in np.s_[:8, -8:]]
    assert min(corners) < 0.6 * frame.max()


def test_far_frames_come_without_the_ones_before():
    config = replace(PRESETS["nuclei"], frame_count=1500)
    movie = SimulatedMovie(config)
    drawn: list[int] = []
    draw = movie._draw_scene
    movie._scene = lambda index: drawn.append(index) or draw(index)
    assert movie.frame(1499).any()
    assert movie.labels(1499).any()
    assert set(drawn) == {1499}


def test_a_longer_movie_begins_with_the_same_frames():
    short, long = eventful("phase", frame_count=30), eventful("phase", frame_count=60)
    np.testing.assert_array_equal(short.frame(29), long.frame(29))
    assert short.lineage[0].first_frame == long.lineage[0].first_frame


def test_clips_are_stacks_of_frames_and_labels():
    movie = eventful("bacteria")
    images, labels = movie.clip(10, 3)
    assert images.shape == labels.shape == (3, 96, 128)
    np.testing.assert_array_equal(images[2], movie.frame(12))
    np.testing.assert_array_equal(labels[2], movie.labels(12))


def test_threads_and_copies_see_the_same_movie():
    movie = eventful("nuclei")
    copy = pickle.loads(pickle.dumps(movie))
    with ThreadPoolExecutor(4) as pool:
        frames = list(pool.map(movie.frame, range(40)))
    for index in (0, 17, 39):
        np.testing.assert_array_equal(frames[index], copy.frame(index))


def test_seeds_and_kinds_make_different_movies():
    frames = [eventful(kind, seed=seed).labels(0) for kind in KINDS for seed in (1, 2)]
    different = {frame.tobytes() for frame in frames}
    assert len(different) == len(frames)


@pytest.mark.parametrize("frame_index", [-1, 90])
def test_frames_outside_the_movie_are_refused(frame_index):
    movie = eventful("nuclei")
    for read in (movie.frame, movie.labels):
        with pytest.raises(InputError, match=rf"frames 0 … 89, not {frame_index}"):
            read(frame_index)
    with pytest.raises(InputError, match="ask for 1 or more"):
        movie.clip(0, 0)


def test_too_many_cells_for_the_labels_are_refused(monkeypatch):
    monkeypatch.setattr("napari_sam2.synthetic.population._MAX_OBJECTS", 9)
    with pytest.raises(InputError, match="more than 9 cells by frame"):
        eventful("bacteria").frame(89)

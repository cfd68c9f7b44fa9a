"""A session is read as it was saved, and is brought up to date after a crash."""

import json
import shutil
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_sam2.errors import OutputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.movies.intensity import IntensityMapping
from napari_sam2.io.sessions.document import (
    InputMapping,
    ModelChoice,
    SavedChannel,
    SessionDocument,
)
from napari_sam2.prompts import BoxPrompt, FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.session.planning.frame_set import FrameSet

numbers = st.floats(-0.5, 47.5)
frame_sets = st.sets(st.integers(0, 40), max_size=12).map(FrameSet.of)
geometry = st.one_of(
    st.builds(
        dict,
        points=st.lists(
            st.builds(PointPrompt, numbers, numbers, st.booleans()), min_size=1
        ).map(tuple),
        box=st.none() | st.just(BoxPrompt(1.0, 2.5, 3.0, 4.0)),
    ),
    st.binary(min_size=12, max_size=12).map(
        lambda raw: {
            "mask": MaskPrompt(np.frombuffer(raw, np.uint8).reshape(3, 4) > 99)
        }
    ),
)


@st.composite
def books(draw):
    states = []
    for one in sorted(draw(st.sets(st.integers(1, 60_000), max_size=4))):
        prompts = tuple(
            FramePrompt(one, frame, **draw(geometry))
            for frame in sorted(draw(st.sets(st.integers(0, 99), max_size=3)))
        )
        names, flags, sets = draw(st.text(max_size=9)), draw(st.booleans()), frame_sets
        states.append(
            ObjectState(
                one,
                names,
                draw(st.none() | st.integers(1, min(9, one - 1))) if one > 1 else None,
                prompts,
                flags,
                *(draw(sets) for _ in range(4)),
            )
        )
    return BookState(tuple(states))


def comparable(book):
    """Return a book as plain values, since neither states nor arrays compare."""
    return [
        (
            *(getattr(one, name) for name in ("object_id", "name", "parent")),
            *(getattr(one, name) for name in ("is_hidden", "locked", "reviewed")),
            *(one.stale, one.waiting),
            [
                (
                    prompt.object_id,
                    prompt.frame_index,
                    prompt.points,
                    prompt.box,
                    prompt.mask and prompt.mask.mask.tolist(),
                )
                for prompt in one.prompts
            ],
        )
        for one in book.objects
    ]


DOCUMENT = SessionDocument(
    image=InputMapping(
        source="/here/movie.tif",
        layer="movie",
        axes="TCYX",
        frame_axis="T",
        fixed={"C": 1},
        channels=(1,),
        intensity=IntensityMapping(limits=((3.0, 9.5),)),
        calibration=Calibration((2.0, 0.5, 0.5), units=("second", None, None)),
        seen=(
            SavedChannel(
                color="grey",
                layer="movie",
                index=1,
                limits=(3, 9.5),
                gamma=1,
                invert=False,
            ),
        ),
    ),
    model=ModelChoice(name="nano", image_size=192),
    frame_index=17,
    selected=3,
    live_repair=False,
)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(first=books(), second=books())
def test_what_is_saved_is_what_is_read(first, second, tmp_path_factory, new_store):
    store = new_store(
        tmp_path_factory.mktemp("any") / "x.zarr", objects=[], frame_count=100
    )
    for book in (first, second):
        document = DOCUMENT.model_copy(update={"book": book})
        store.save_session(document)
        read = OmeZarrLabelStore.open(store.path, mode="r").read_session()
        assert comparable(read.book) == comparable(book)
        assert read.model_copy(update={"book": book}) == document


def test_a_mask_is_written_once(new_store):
    store = new_store()
    mask = np.zeros((48, 64), bool)
    mask[4:9] = True
    prompts = tuple(FramePrompt(3, one, mask=MaskPrompt(mask)) for one in (0, 4))
    state = ObjectState(3, prompts=prompts)
    store.save_session(SessionDocument(book=BookState((state,))))
    (stored,) = (store.path / "labels/masklets/napari-sam2/masks").glob("*/zarr.json")
    written = stored.stat().st_mtime_ns
    other = replace(state, name="other", prompts=prompts[:1])
    OmeZarrLabelStore.open(store.path).save_session(
        SessionDocument(book=BookState((other,)))
    )
    assert stored.stat().st_mtime_ns == written


def test_names_and_mothers_go_to_the_labels(new_store, fake_run):
    store = new_store()
    store.write(fake_run.result(0))
    store.finish()
    book = BookState((ObjectState(3, "mother"), ObjectState(7, "d", 3)))
    store.save_session(SessionDocument(book=book))
    listed = OmeZarrLabelStore.open(store.path).objects
    assert [(one.name, one.parent) for one in listed] == [("mother", None), ("d", 3)]
    assert [one.first_frame for one in listed] == [0, 0]
    store.save_session(SessionDocument(book=book.without([3])))
    assert [one.object_id for one in store.objects] == [7]


def test_steps_after_the_last_save_are_not_lost(new_store):
    store = new_store(objects=[])
    books = [BookState()]
    for one in range(1, 5):
        books.append(books[-1].with_objects([ObjectState(one, f"cell {one}")]))
    store.history.begin("first", books[0], books[1])
    store.save_session(SessionDocument(book=books[1], frame_index=5))
    for before, after in pairwise(books[1:]):
        store.history.begin("more", before, after)
    read = OmeZarrLabelStore.open(store.path).read_session()
    assert (comparable(read.book), read.frame_index) == (comparable(books[4]), 5)
    store = OmeZarrLabelStore.open(store.path)
    store.history.undo()
    read = OmeZarrLabelStore.open(store.path).read_session()
    assert (comparable(read.book), read.frame_index) == (comparable(books[3]), 5)


def test_a_run_of_the_command_line_opens_as_a_session(new_store, fake_run, provenance):
    prompts = {
        "version": 1,
        "objects": [
            {"id": 3, "prompts": [{"frame": 0, "points": [[5.0, 6.0]]}]},
            {"id": 7, "prompts": [{"frame": 1, "mask": "masks/7-1.png"}]},
        ],
    }
    frames = {
        "source": "/here/movie.tif",
        "axes": "TYX",
        "frame_axis": "T",
        "fixed": {},
        "channels": [],
        "intensity": {"limits": [[0.0, 5.0]], "gamma": [1.0]},
    }
    made_by = provenance.model_copy(update={"prompts": prompts, "frames": frames})
    store = new_store(provenance=made_by)
    result = fake_run.result(1)
    store.write(result)
    store.write_anchor(fake_run.anchor(7, 1))
    store.write_anchor(replace(fake_run.anchor(7, 5), logits=near_corner()))
    store.commit(fake_run.progress(2), None)
    session = OmeZarrLabelStore.open(store.path, mode="r").read_session()
    clicked, drawn = session.book.objects
    assert clicked.prompts[0].points == (PointPrompt(5.0, 6.0, True),)
    assert (clicked.name, drawn.parent) == ("cell 3", 3)
    assert drawn.anchors == (1, 5)
    np.testing.assert_array_equal(drawn.prompts[0].mask.mask, result.labels == 7)
    assert drawn.prompts[1].mask.mask[:2, :3].all()
    assert not drawn.prompts[1].mask.mask[4:].any()
    from_labels, from_logits = session.remarks
    assert "object 7 on frame 1" in from_labels
    assert "coarser logits: object 7 on frame 5" in from_logits
    assert session.model == ModelChoice(name="nano")
    assert (session.image.source, session.image.axes) == ("/here/movie.tif", "TYX")
    assert session.image.intensity.limits == ((0.0, 5.0),)


@pytest.fixture
def drawn(new_store, fake_run):
    """A closed store whose session has a mask that the labels show as it was drawn."""
    store = new_store()
    result = fake_run.result(2)
    store.write(result)
    mask = MaskPrompt(result.labels == 7)
    state = ObjectState(7, prompts=(FramePrompt(7, 2, mask=mask),))
    store.save_session(SessionDocument(book=BookState((state,))))
    store.commit(fake_run.progress(3), None)
    store.close()
    return store.path, mask


MASK_DAMAGE = {
    "a lost chunk": lambda folder: (folder / "c/0").unlink(),
    "another chunk": lambda folder: (folder / "c/0").write_bytes(b"no"),
    "no metadata": lambda folder: (folder / "zarr.json").unlink(),
    "all of it": shutil.rmtree,
}


@pytest.mark.parametrize("damage", MASK_DAMAGE)
def test_a_damaged_mask_is_taken_from_the_labels_that_show_it(drawn, damage):
    path, mask = drawn
    (folder,) = (path / "labels/masklets/napari-sam2/masks").glob("?" * 64)
    MASK_DAMAGE[damage](folder)
    document = OmeZarrLabelStore.open(path, mode="r").read_session()
    np.testing.assert_array_equal(document.book[7].prompts[0].mask.mask, mask.mask)


def test_a_damaged_mask_that_the_labels_do_not_show_is_refused(drawn, fake_run):
    path, _ = drawn
    store = OmeZarrLabelStore.open(path)
    store.array[2] = 0
    store.close()
    (folder,) = (path / "labels/masklets/napari-sam2/masks").glob("?" * 64)
    (folder / "c/0").unlink()
    with pytest.raises(OutputError, match=r"a drawn mask .*; restore it"):
        OmeZarrLabelStore.open(path, mode="r").read_session()


def near_corner():
    logits = np.full((16, 16), -5.0, np.float32)
    logits[0, 0] = 5.0
    return logits


def said_on(*frames):
    prompts = [{"frame": frame, "points": [[5.0, 6.0]]} for frame in frames]
    return json.dumps({"objects": [{"id": 2, "prompts": prompts}]})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "newer napari-sam2"),
        ({"document": "{"}, "is damaged"),
        ({"document": '{"objects": [{"id": 0}]}'}, "is damaged"),
        ({"document": '{"objects": [{"id": 2}, {"id": 2}]}'}, "is damaged"),
        # Found by their frame, and the first says when the object is born.
        ({"document": said_on(4, 2)}, "object 2 are not in the order of frames"),
        ({"document": said_on(2, 2)}, "object 2 are not in the order of frames"),
        (
            {
                "document": '{"objects": [{"id": 2, "prompts": '
                '[{"frame": 0, "mask": "0"}]}]}'
            },
            "mask is missing",
        ),
    ],
)
def test_a_damaged_session_is_refused_in_words(new_store, change, words):
    store = new_store()
    store.save_session(SessionDocument())
    file = store.path / "labels/masklets/napari-sam2/session/zarr.json"
    content = json.loads(file.read_text())
    content["attributes"] |= change
    file.write_text(json.dumps(content))
    with pytest.raises(OutputError, match=words) as told:
        OmeZarrLabelStore.open(store.path).read_session()
    assert "file:" not in str(told.value), "a path as people write it"


def test_what_the_model_saw_is_found_where_version_0_2_saved_it():
    channel = DOCUMENT.image.seen[0].model_dump(mode="json")
    old = DOCUMENT.model_dump(mode="json")
    del old["image"]["seen"]
    old["settings"] = {"input": {"layer": "movie", "channels": [channel]}}
    assert SessionDocument.model_validate(old) == DOCUMENT


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"parent": 3}, "object 3 is its own mother"),
        ({"prompts": [{"frame": 10**9, "points": [[1.0, 2.0]]}]}, "frame 1000000000"),
        ({"locked": [[0, 10**9]]}, "frame 999999999"),
        ({"prompts": [{"frame": 0, "points": [[9.0, 64.0]]}]}, "outside the frame of"),
        (
            {"prompts": [{"frame": 0, "box": [1, 2, 90, 9]}]},
            "frame 0: row 90",
        ),
    ],
)
def test_what_no_session_can_say_is_refused(new_store, change, words):
    store = new_store()
    book = BookState((ObjectState(3, "cell"),))
    store.save_session(SessionDocument(book=book))
    group = zarr.open_group(store.path / "labels/masklets/napari-sam2/session")
    document = json.loads(group.attrs["document"])
    document["objects"][0].update(change)
    group.attrs["document"] = json.dumps(document)
    with pytest.raises(OutputError, match=rf"damaged \(.*{words}.*move it elsewhere"):
        store.read_session()

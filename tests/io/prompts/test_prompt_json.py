import json
import sys

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from napari_sam2.errors import InputError, OutputError
from napari_sam2.io.prompts.files import read_prompts, write_prompts
from napari_sam2.prompts import (
    BoxPrompt,
    FramePrompt,
    MaskPrompt,
    PointPrompt,
    PromptedObject,
)
from napari_sam2.session.planning.plan import (
    Direction,
    FrameRange,
    Plan,
    object_lives,
)
from napari_sam2.session.planning.walks import walks

HEIGHT, WIDTH, FRAMES = 6, 8, 12
MOVIE = {"frame_shape": (HEIGHT, WIDTH), "frame_count": FRAMES}

rows = st.floats(-0.5, HEIGHT - 0.5)
columns = st.floats(-0.5, WIDTH - 0.5)
clicks = st.lists(
    st.builds(PointPrompt, rows, columns, st.booleans()), min_size=1, max_size=4
).map(tuple)
boxes = st.tuples(rows, columns, rows, columns).map(
    lambda c: BoxPrompt(
        min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3])
    )
)
masks = hnp.arrays(bool, (HEIGHT, WIDTH)).map(MaskPrompt)
geometries = st.one_of(
    clicks.map(lambda points: {"points": points}),
    boxes.map(lambda box: {"box": box}),
    st.tuples(clicks, boxes).map(lambda both: {"points": both[0], "box": both[1]}),
    masks.map(lambda mask: {"mask": mask}),
)


@st.composite
def prompted_objects(draw):
    ids = draw(st.lists(st.integers(1, 65_535), min_size=1, max_size=4, unique=True))
    objects = []
    for position, object_id in enumerate(ids):
        frames = draw(
            st.lists(st.integers(0, FRAMES - 1), min_size=1, max_size=3, unique=True)
        )
        objects.append(
            PromptedObject(
                object_id,
                tuple(
                    FramePrompt(object_id, frame_index, **draw(geometries))
                    for frame_index in sorted(frames)
                ),
                name=draw(st.text(max_size=5)),
                parent=draw(st.sampled_from([None, *ids[:position]])),
            )
        )
    return objects


def comparable(objects):
    """Return prompts as plain values, since arrays do not compare."""
    return [
        (
            item.object_id,
            item.name,
            item.parent,
            [
                (
                    prompt.object_id,
                    prompt.frame_index,
                    prompt.points,
                    prompt.box,
                    None if prompt.mask is None else prompt.mask.mask.tolist(),
                )
                for prompt in item.prompts
            ],
        )
        for item in objects
    ]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(objects=prompted_objects())
def test_what_is_written_is_what_is_read(tmp_path, objects):
    path = tmp_path / "prompts.json"
    write_prompts(path, objects)
    assert comparable(read_prompts(path, **MOVIE)) == comparable(objects)


@pytest.fixture
def save(tmp_path):
    def save(content, name="prompts.json"):
        path = tmp_path / name
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
        return path

    return save


def document(*prompts, **fields):
    return {"version": 1, "objects": [{"id": 7, "prompts": list(prompts), **fields}]}


def test_the_file_of_the_documentation_is_read(save, tmp_path):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[2:4, 3:5] = 255
    (tmp_path / "masks").mkdir()
    Image.fromarray(mask).save(tmp_path / "masks" / "7-8.png")
    path = save(
        document(
            {"frame": 8, "mask": "masks/7-8.png"},
            {"frame": 0, "points": [[1, 2.5], [3, 4]], "positive": [True, False]},
            {"frame": 4, "box": [0, 1, 4, 7]},
            name="cell 7",
        )
    )
    (item,) = read_prompts(path, **MOVIE)
    assert (item.object_id, item.name, item.parent) == (7, "cell 7", None)
    clicked, boxed, masked = item.prompts
    assert clicked.points == (PointPrompt(1, 2.5, True), PointPrompt(3, 4, False))
    assert (boxed.frame_index, boxed.box) == (4, BoxPrompt(0, 1, 4, 7))
    assert masked.mask.mask.sum() == 4


def test_points_are_positive_unless_told(save):
    (item,) = read_prompts(save(document({"frame": 0, "points": [[1, 2]]})), **MOVIE)
    assert item.prompts[0].points == (PointPrompt(1, 2, True),)


def test_an_object_may_wait_for_its_first_prompt(save):
    content = document({"frame": 0, "points": [[1, 2]]})
    content["objects"].append({"id": 8, "parent": 7})
    _, daughter = read_prompts(save(content), **MOVIE)
    assert (daughter.parent, daughter.prompts) == (7, ())


POINT = {"frame": 0, "points": [[1, 2]]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", ["prompts.json", "JSON"]),
        ("[" * 100_000, ["JSON"]),
        ([], ["prompts.json", "dictionary"]),
        ({"objects": []}, ["version", "missing"]),
        ('{"version": 1, "version": 1}', ["'version'", "there twice"]),
        ({"version": 2, "objects": []}, ["version", "not 2"]),
        ({"images": [], "annotations": []}, ["COCO", "give label images"]),
        ({"type": "FeatureCollection", "features": []}, ["GeoJSON", "label images"]),
        ({"version": "5.0.1", "shapes": []}, ["labelme", "give label images"]),
        ({"version": 1, "objects": []}, ["no prompts"]),
        (document(), ["no prompts"]),
        (document(POINT, colour="red"), ["object 7", "colour", "no such field"]),
        (document(POINT, id=0), ["object 0", "id", "not 0"]),
        (document(POINT, id=65_536), ["object 65536", "id", "65535"]),
        (document(POINT, id="7"), ["id", "integer", "'7'"]),
        (document(POINT, id=True), ["id", "integer"]),
        (document(POINT, id=None), ["object number 0", "id"]),
        (document(POINT, parent=9), ["object 7, parent", "no object 9"]),
        (document(POINT, parent=7), ["object 7, parent", "itself"]),
        (document(POINT, POINT), ["object 7", "two prompts on frame 0"]),
        (document({"frame": 0}), ["object 7, frame 0", "points, a box or a mask"]),
        (document({"frame": 0, "points": []}), ["points, a box or a mask"]),
        (document({"points": [[1, 2]]}), ["object 7", "frame", "missing"]),
        (document({**POINT, "frame": 12}), ["object 7", "no frame 12", "0 to 11"]),
        (document({**POINT, "frame": -1}), ["object 7", "frame -1"]),
        (document({**POINT, "frame": 0.5}), ["object 7", "frame 0.5"]),
        (document({**POINT, "positive": []}), ["positive", "0 values for 1 points"]),
        (document({**POINT, "positive": [1]}), ["frame 0", "positive 0", "bool"]),
        (document({"frame": 3, "points": [[1]]}), ["frame 3", "points 0", "[1]"]),
        (document({"frame": 3, "points": [[1, "2"]]}), ["points 0 1", "'2'"]),
        (document({"frame": 3, "points": [[6, 1]]}), ["frame 3, points 0", "6 × 8"]),
        (document({"frame": 3, "points": [[1, -1]]}), ["column -1", "outside"]),
        (document({"frame": 3, "points": [[1, float("nan")]]}), ["points 0 1"]),
        (document({"frame": 3, "box": [0, 0, 5, 8]}), ["frame 3, box", "outside"]),
        (document({"frame": 3, "box": [3, 0, 2, 5]}), ["frame 3, box", "y1 ≥ y0"]),
        (document({"frame": 3, "box": [3, 0, 2]}), ["frame 3, box"]),
        (document({**POINT, "mask": "small.png"}), ["frame 0, mask", "2 × 3"]),
        (document({**POINT, "mask": "good.png"}), ["frame 0", "cannot be combined"]),
        (document({"frame": 0, "mask": "none.png"}), ["mask", "no file none.png"]),
        (document({"frame": 0, "mask": "empty.png"}), ["mask", "empty.png is empty"]),
        (document({"frame": 0, "mask": "color.png"}), ["color.png", "in colour"]),
        (document({"frame": 0, "mask": "broken.png"}), ["broken.png", "image"]),
        (document({"frame": 0, "mask": "."}), ["mask", "folder of the prompts"]),
        (document({"frame": 0, "mask": ""}), ["mask", "folder of the prompts"]),
        (document({"frame": 0, "mask": "a\0b"}), ["mask", "folder of the prompts"]),
    ],
)
def test_errors_name_object_frame_and_field(save, tmp_path, content, words):
    good = np.ones((HEIGHT, WIDTH), np.uint8)
    Image.fromarray(good).save(tmp_path / "good.png")
    Image.fromarray(good[:2, :3]).save(tmp_path / "small.png")
    Image.fromarray(0 * good).save(tmp_path / "empty.png")
    Image.fromarray(np.stack([good] * 3, -1)).save(tmp_path / "color.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError) as raised:
        read_prompts(save(content), **MOVIE)
    message = str(raised.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_ids_come_once_and_descent_has_no_circles(save):
    twice = document(POINT)
    twice["objects"] *= 2
    with pytest.raises(InputError, match="object id 7 is used twice"):
        read_prompts(save(twice), **MOVIE)
    circle = document(POINT, parent=8)
    circle["objects"].append({"id": 8, "parent": 7, "prompts": [POINT]})
    with pytest.raises(InputError, match="descends from itself"):
        read_prompts(save(circle), **MOVIE)


@pytest.mark.parametrize("kind", ["..", "absolute", "symlink", "linked folder"])
def test_masks_may_not_leave_the_folder(tmp_path, save, kind):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    secret = outside / "secret.png"
    Image.fromarray(np.ones((HEIGHT, WIDTH), np.uint8)).save(secret)
    names = {
        "..": "../outside/secret.png",
        "absolute": str(secret),
        "symlink": "link.png",
        "linked folder": "masks/secret.png",
    }
    (inside / "link.png").symlink_to(secret)
    (inside / "masks").symlink_to(outside)
    path = save(document({"frame": 0, "mask": names[kind]}), "inside/prompts.json")
    with pytest.raises(InputError, match="stays in the folder of the prompts"):
        read_prompts(path, **MOVIE)


def test_a_folder_reached_through_a_link_may_hold_masks(tmp_path, save):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    Image.fromarray(np.ones((HEIGHT, WIDTH), np.uint8)).save(
        tmp_path / "real" / "m.png"
    )
    save(document({"frame": 0, "mask": "m.png"}), "real/prompts.json")
    (item,) = read_prompts(tmp_path / "link" / "prompts.json", **MOVIE)
    assert item.prompts[0].mask.mask.all()


def test_a_mask_may_be_a_tiff(tmp_path, save):
    tifffile.imwrite(tmp_path / "m.tif", np.ones((HEIGHT, WIDTH), bool))
    (item,) = read_prompts(save(document({"frame": 0, "mask": "m.tif"})), **MOVIE)
    assert item.prompts[0].mask.mask.all()


def test_two_files_in_one_folder_keep_their_masks_apart(tmp_path):
    for name, row in (("a", 0), ("b", 1)):
        mask = np.zeros((HEIGHT, WIDTH), bool)
        mask[row] = True
        prompts = (FramePrompt(1, 0, mask=MaskPrompt(mask)),)
        write_prompts(tmp_path / f"{name}.json", [PromptedObject(1, prompts)])
    (first,) = read_prompts(tmp_path / "a.json", **MOVIE)
    assert first.prompts[0].mask.mask[0].all()


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    prompts = (FramePrompt(1, 0, points=(PointPrompt(1, 1),)),)
    with pytest.raises(OutputError, match="cannot be written"):
        write_prompts(tmp_path / "file" / "p.json", [PromptedObject(1, prompts)])


def test_twice_as_many_prompts_are_twice_the_work(save):
    """A long family, and many prompts of one object, counted in calls."""

    def calls(count):
        content = document(*({**POINT, "frame": frame} for frame in range(count)))
        for number in range(1, count):
            born = {"frame": number, "points": [[1, 2]]}
            one = {"id": 1000 + number, "prompts": [born]}
            one |= {"parent": 999 + number} if number > 1 else {}
            content["objects"].append(one)
        path, seen = save(content), []
        sys.setprofile(lambda frame, event, _: seen.append(event))
        try:
            objects = read_prompts(path, **(MOVIE | {"frame_count": count}))
            lives = object_lives(objects, count)
            walks(lives, Plan(FrameRange(0, count), Direction.FORWARD))
        finally:
            sys.setprofile(None)
        assert len(objects) == count
        return len(seen)

    assert calls(400) - calls(200) < 2.2 * (calls(200) - calls(100))

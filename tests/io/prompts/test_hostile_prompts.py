"""Whatever a prompts file holds: prompts, or one sentence. Never anything else."""

import json
from copy import deepcopy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_sam2.errors import InputError
from napari_sam2.io.prompts.bounds import MAX_POINTS
from napari_sam2.io.prompts.files import read_prompts

MOVIE = {"frame_shape": (40, 50), "frame_count": 3}
CLICK = {"frame": 0, "points": [[25.0, 30.0]]}
QUICK = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(
        [10**9, -1, 10**40, 65_536, 1e308, float("inf"), float("nan"), "\ud800", "a\nb"]
    ),
    st.text(max_size=8),
    st.floats(),
    st.just([]),
    st.just({}),
    st.lists(st.integers(), max_size=5),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
FIELDS = "version objects id name parent prompts frame points positive box mask absent"
names = st.sampled_from([*FIELDS.split(), "other", "a\nb", "\ud800"])


def document():
    return {
        "version": 1,
        "objects": [
            {
                "id": 1,
                "name": "one",
                "prompts": [deepcopy(CLICK), {"frame": 1, "absent": True}],
            },
            {"id": 2, "parent": 1, "prompts": [{"frame": 2, "box": [1, 2, 9, 9]}]},
        ],
    }


def places(value, path=()):
    """Yield where something stands in a document."""
    yield path
    if isinstance(value, dict | list):
        steps = value.items() if isinstance(value, dict) else enumerate(value)
        for step, inner in list(steps):
            yield from places(inner, (*path, step))


@st.composite
def mutated(draw):
    changed = {"root": document()}
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([one for one in places(changed) if one]))
        *above, last = path
        holder = changed
        for step in above:
            holder = holder[step]
        kind = draw(st.sampled_from(["replace", "remove", "add"]))
        if kind == "remove" and above:
            del holder[last]
        elif kind == "add" and isinstance(holder[last], dict):
            holder[last][draw(names)] = deepcopy(draw(odd))
        else:
            holder[last] = deepcopy(draw(odd))
    return changed.get("root")


def read_or_one_line(path):
    """Read prompts; a refusal is one line that any terminal can show."""
    try:
        return read_prompts(path, **MOVIE)
    except InputError as refused:
        message = str(refused)
    assert message.isprintable()
    message.encode()
    return None


@QUICK
@given(content=mutated())
def test_a_changed_document_is_read_or_told(tmp_path, content):
    (tmp_path / "p.json").write_text(json.dumps(content))
    read_or_one_line(tmp_path / "p.json")


@QUICK
@given(st.data())
def test_changed_bytes_are_read_or_told(tmp_path, data):
    suffix = data.draw(st.sampled_from(["json", "csv"]))
    text = json.dumps(document())
    if suffix == "csv":
        text = "index,axis-0,axis-1,axis-2,label,positive\n0,1,2,3,4,1\n1,2,9,9,4,0\n"
    content = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        where = data.draw(st.integers(0, len(content) - 1))
        content[where : where + 1] = data.draw(st.binary(max_size=3))
        content = content or bytearray(b"x")
    (tmp_path / f"p.{suffix}").write_bytes(content)
    read_or_one_line(tmp_path / f"p.{suffix}")


cells = st.one_of(
    st.sampled_from(["", "1e999", "nan", "-1", "1e308", "0x1", "ellipse", "rectangle"]),
    st.sampled_from(["polygon", "9" * 400, "1,5", '"', "a\x00b"]),
    st.integers(-3, 70).map(str),
)


@QUICK
@given(rows=st.lists(st.lists(cells, min_size=4, max_size=8), max_size=6))
def test_any_shapes_are_read_or_told(tmp_path, rows):
    lines = ["index,shape-type,vertex-index,axis-0,axis-1,axis-2,label"]
    (tmp_path / "s.csv").write_text("\n".join(lines + [",".join(row) for row in rows]))
    read_or_one_line(tmp_path / "s.csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "cannot be read as JSON"),
        ('{"a":' * 900 + "1" + "}" * 900, "p.json"),
        ('{"version": 1, "objects": ' + "[" * 900 + "]" * 900 + "}", "object number 0"),
        ('{"version": 1, "objects": [{"id": 1e999}]}', "id"),
        ('{"version": 1, "objects": [{"id": 1, "name": "\\ud800"}]}', "name"),
    ],
)
def test_deep_and_strange_json_is_told(tmp_path, text, words):
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(InputError, match=words) as raised:
        read_prompts(tmp_path / "p.json", **MOVIE)
    assert str(raised.value).isprintable()


def test_a_family_of_its_own_mother_is_told(tmp_path):
    content = document()
    content["objects"][1]["parent"] = 2
    (tmp_path / "p.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="descends from itself"):
        read_prompts(tmp_path / "p.json", **MOVIE)


def test_a_frame_far_away_is_told(tmp_path):
    content = document()
    content["objects"][0]["prompts"][0]["frame"] = 10**9
    (tmp_path / "p.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"no frame 1000000000; the movie has 3"):
        read_prompts(tmp_path / "p.json", **MOVIE)


@pytest.mark.parametrize("suffix", ["json", "csv"])
def test_more_clicks_than_anybody_makes_are_told(tmp_path, suffix):
    path = tmp_path / f"p.{suffix}"
    content = document()
    content["objects"][0]["prompts"][0]["points"] = [[1.0, 2.0]] * (MAX_POINTS + 1)
    if suffix == "json":
        path.write_text(json.dumps(content))
    else:
        rows = "0,1,2,5\n" * (MAX_POINTS + 1)
        path.write_text(f"axis-0,axis-1,axis-2,label\n{rows}")
    with pytest.raises(InputError, match=rf"{MAX_POINTS + 1} points .* box or a mask"):
        read_prompts(path, **MOVIE)

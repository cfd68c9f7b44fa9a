"""Plans: what they mean, what they refuse, and that they come back from JSON."""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.batch.plan.plan import BatchPlan, plan_of, read_plan
from napari_sam2.batch.prompting.policies import PROGRAMS, PromptsBeside
from napari_sam2.errors import InputError

SCHEMA = Path(__file__).parents[3] / "docs" / "plan.schema.json"
CELLPOSE = PromptsBeside(patterns=PROGRAMS["cellpose"])


@pytest.fixture
def folder(tmp_path):
    for name in ("b.tif", "a.tif", "c.png"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def plan(*movies, **fields):
    return BatchPlan(movies=tuple(map(str, movies)), prompts=CELLPOSE, **fields)


def test_each_movie_gets_a_job_of_its_own(folder):
    a, b = plan(folder / "*.tif").planned()
    assert (a.title, b.title) == ("a", "b")
    assert a.job.movie == folder / "a.tif"
    assert a.job.out == folder / "a-masklets.zarr"


def test_a_movie_that_is_named_twice_is_tracked_once(folder):
    assert len(plan(folder / "*.tif", folder / "a.tif").planned()) == 2


def test_label_images_that_the_pattern_of_the_movies_finds_are_no_movies(folder):
    """`plan "data/*.tif" --prompts-from cellpose` refused each of them by name."""
    masks = folder / "a_cp_masks.tif"
    masks.write_bytes(b"")
    assert [one.title for one in plan(folder / "*.tif").planned()] == ["a", "b"]
    assert len(plan(folder / "*.tif", masks).planned()) == 3, "it was asked for by name"


def test_movies_of_one_name_in_two_folders_keep_apart(folder):
    (folder / "day2").mkdir()
    (folder / "day2" / "a.tif").write_bytes(b"")
    first, second = plan(folder / "a.tif", folder / "day2" / "a.tif").planned()
    assert first.title != second.title
    out = {"out": str(folder / "{stem}.zarr")}
    with pytest.raises(InputError, match="have one place"):
        plan(folder / "a.tif", folder / "day2" / "a.tif", **out).planned()


def test_a_pattern_without_a_placeholder_is_refused_for_several_movies(folder):
    one = plan(folder / "a.tif", out=str(folder / "x.zarr")).planned()
    assert one[0].job.out == folder / "x.zarr"
    with pytest.raises(InputError, match="gives all 2 movies one output"):
        plan(folder / "*.tif", out=str(folder / "x.zarr")).planned()


@pytest.mark.parametrize("pattern", ["{folder}/{stem}.csv", "{folder}/{stem}"])
def test_exports_get_a_path_for_each_movie_too(folder, pattern):
    exports = {"csv": pattern}
    (one, _) = plan(folder / "*.tif", exports=exports).planned()
    assert one.exports == {"csv": folder / "a.csv"}


@pytest.mark.parametrize(
    "name", ["{folder}/{stem}.tif", "{folder}/x/../{stem}.tif", "{folder}/{stem}"]
)
def test_exports_never_take_the_place_of_a_movie(folder, name):
    (folder / "x").mkdir()
    with pytest.raises(InputError, match=r"the movie a and the result of a have one"):
        plan(folder / "a.tif", exports={"tiff": name}).planned()


def test_exports_never_take_the_place_of_prompts(folder):
    (folder / "a_cp_masks.tif").write_bytes(b"")
    with pytest.raises(InputError, match="the prompts of a and the result of a have"):
        plan(folder / "a.tif", exports={"tiff": "{folder}/a_cp_masks.tif"}).planned()


def test_results_that_meet_on_different_ways_are_refused(folder):
    """The second of them would have been taken for the first."""
    for name in ("day1", "day2"):
        (folder / name).mkdir()
        (folder / name / "a.tif").write_bytes(b"")
    (folder / "link").symlink_to(folder / "day1")
    exports = {"csv": "{folder}/../{stem}.csv"}
    movies = (folder / "day1/a.tif", folder / "day2/a.tif")
    with pytest.raises(InputError, match=r"have one place"):
        plan(*movies, exports=exports).planned()
    with pytest.raises(InputError, match=r"have one place"):
        plan(movies[0], folder / "link/a.tif").planned()


@pytest.mark.parametrize(
    "pattern",
    [
        *("{stem:9999999999}", "{stem:d}", "{movie:>5}", "{stem!z}", "{stem!r}"),
        *("{number:{stem}}", "{number:99999}", "{number:x}", "{}", "{stem.__class__}"),
    ],
)
def test_patterns_hold_names_and_no_formats(folder, pattern):
    for fields in ({"out": pattern}, {"exports": {"csv": pattern}}):
        given = {"movies": ["a"], "prompts": {"kind": "same", "path": "a"}, **fields}
        with pytest.raises(InputError, match="the pattern") as told:
            plan_of(json.dumps(given), "plan.json")
        assert "\n" not in str(told.value)
    (one,) = plan(folder / "a.tif", out="{folder}/{number:03}.zarr").planned()
    assert one.job.out == folder / "000.zarr"


@pytest.mark.parametrize("delay", ["1e308", "Infinity", "NaN", "-1"])
def test_nobody_waits_for_ever_between_tries(delay):
    text = '{"movies": ["a"], "prompts": {"kind": "same", "path": "a"}'
    with pytest.raises(InputError, match="retry_delay"):
        plan_of(f'{text}, "retry_delay": {delay}}}', "plan.json")


@pytest.mark.parametrize("movie", ["**a.tif", "x" * 5000, "[" * 300, "a\0*"])
def test_impossible_patterns_of_movies_are_told(folder, movie):
    with pytest.raises(InputError) as told:
        plan(f"{folder}/{movie}").planned()
    assert str(told.value).isprintable()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("zarr.json", "[]"),
        ("zarr.json", "7"),
        ("zarr.json", '{"attributes": null}'),
        ("zarr.json", '{"attributes": {"ome": {"plate": []}}}'),
        ("zarr.json", '{"attributes": {"ome": {"plate": {"wells": [7]}}}}'),
        ("zarr.json", '{"attributes": {"ome": {"plate": {"wells": {"a": 1}}}}}'),
        (".zattrs", "[" * 9000),
        (".zattrs", '{"bioformats2raw.layout": 3}'),
    ],
)
def test_broken_metadata_of_a_folder_are_told_or_its_reader_tells(tmp_path, file, text):
    path = tmp_path / "a.zarr"
    (path / "OME").mkdir(parents=True)
    (path / file).write_text(text)
    (path / "OME/zarr.json").write_text('{"attributes": {"ome": {"series": {"a": 1}}}}')
    try:
        found = plan(path).planned()
    except InputError as error:
        assert str(error).isprintable()  # noqa: PT017 - either way is right
    else:
        assert [one.job.movie for one in found] == [path]


def test_each_channel_is_a_task_with_labels_of_its_own(folder):
    first, second = plan(folder / "a.tif", each_channel=(0, 2)).planned()
    assert [one.job.name for one in (first, second)] == ["masklets-c0", "masklets-c2"]
    assert second.job.frame_options.channels == (2,)


@pytest.mark.parametrize(
    ("movies", "said"), [("*.nd2", "no file has a name"), ("x.tif", "does not exist")]
)
def test_movies_that_are_not_there_are_refused(folder, movies, said):
    with pytest.raises(InputError, match=said):
        plan(folder / movies).planned()


def test_a_plan_of_a_newer_version_is_refused_in_a_sentence():
    with pytest.raises(InputError, match=r"newer napari-sam2 \(version 2.*; update"):
        plan_of('{"version": 2, "films": []}', "plan.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "plan.json: "),
        ("{", "plan.json: "),
        ('{"movies": [], "prompts": {"kind": "same", "path": "a"}}', "movies: "),
        ('{"movies": ["a"], "prompts": {"kind": "magic"}}', "prompts: "),
        (
            '{"movies": ["a"], "prompts": {"kind": "same", "path": "a"}, "out": "{x}"}',
            "has {x}",
        ),
        (
            '{"movies": ["a"], "prompts": {"kind": "same", "path": "a"}, "cake": 1}',
            "cake: ",
        ),
    ],
)
def test_what_is_no_plan_is_refused_with_its_field(text, said):
    with pytest.raises(InputError, match=said):
        plan_of(text, "plan.json")


@given(st.text())
def test_any_text_is_a_plan_or_an_input_error(text):
    with suppress(InputError):
        plan_of(text, "plan.json")


def test_paths_count_from_the_folder_of_the_plan(folder):
    text = plan("*.tif", out="out/{stem}.zarr").to_json()
    (folder / "plan.json").write_text(text)
    one, _ = read_plan(folder / "plan.json").planned()
    assert one.job.movie == folder / "a.tif"
    assert one.job.out == folder / "out" / "a.zarr"


def test_a_plan_survives_the_trip_through_json(folder):
    made = plan(folder / "*.tif", each_channel=(1,), frames=(None, 5), retries=0)
    assert plan_of(made.to_json(), "plan.json") == made


def test_the_schema_in_the_documentation_is_that_of_plans():
    """Made by ``napari-sam2 plan --schema > docs/plan.schema.json``."""
    assert json.loads(SCHEMA.read_text("utf-8")) == BatchPlan.model_json_schema()


def ome(group, **attributes):
    group.attrs["ome"] = {"version": "0.5", **attributes}


def test_a_plate_is_its_fields_and_a_collection_its_images(tmp_path):
    plate = zarr.open_group(tmp_path / "plate.zarr", mode="w")
    ome(plate, plate={"wells": [{"path": "A/1"}, {"path": "B/2"}]})
    for well in ("A/1", "B/2"):
        group = plate.require_group(well)
        ome(group, well={"images": [{"path": "0"}, {"path": "1"}]})
        for field in "01":
            group.create_array(field, data=np.zeros((2, 4, 4), np.uint8))
    one, *_, last = plan(tmp_path / "plate.zarr", out="{movie}").planned()
    assert one.job.out == one.job.movie == tmp_path / "plate.zarr/A/1/0"
    assert last.title == "plate_B_2_1"
    out = "{folder}/{plate}-{well}-{field}.zarr"
    *_, last = plan(tmp_path / "plate.zarr", out=out).planned()
    assert last.job.out == tmp_path / "plate-B2-1.zarr"

    several = zarr.open_group(tmp_path / "several.zarr", mode="w")
    several.attrs["ome"] = {"version": "0.5", "bioformats2raw.layout": 3}
    for series in ("0", "1", "10"):
        several.create_array(series, data=np.zeros((2, 4, 4), np.uint8))
    titles = [one.title for one in plan(tmp_path / "several.zarr").planned()]
    assert titles == ["several_0", "several_1", "several_10"]
    assert len(plan(tmp_path).planned()) == 4 + 3, "a folder of OME-Zarr"


def test_a_plate_without_wells_is_refused(tmp_path):
    plate = zarr.open_group(tmp_path / "plate.zarr", mode="w")
    ome(plate, plate={"rows": []})
    with pytest.raises(InputError, match="plate metadata are broken"):
        plan(tmp_path / "plate.zarr").planned()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_plan_that_powershell_redirected_is_read(folder, encoding):
    made = plan(folder / "*.tif")
    path = folder / "plan.json"
    path.write_bytes(made.to_json().replace("\n", "\r\n").encode(encoding))
    assert read_plan(path) == made

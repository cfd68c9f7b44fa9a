"""Prompts of movies that nobody prompted one by one."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from pydantic import TypeAdapter, ValidationError

from napari_sam2.batch.prompting.policies import (
    PROGRAMS,
    PromptPolicy,
    PromptsBeside,
    PromptsInside,
    SamePrompts,
    policy_of,
    stem_of,
)
from napari_sam2.errors import InputError
from napari_sam2.io.movies.frame_sources import open_frames

SHAPE = (5, 20, 24)


@pytest.fixture
def movie(tmp_path):
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE))
    return path


@pytest.fixture
def labels():
    found = np.zeros(SHAPE, np.uint16)
    found[0, 2:6, 2:6], found[3, 3:7, 3:7] = 1, 1
    found[0, 10:14, 10:14] = 2
    return found


def read(policy, movie):
    source = open_frames(movie)
    try:
        return {
            (prompt.object_id, prompt.frame_index)
            for one in policy.read(movie, source).objects
            for prompt in one.prompts
        }
    finally:
        source.close()


@pytest.mark.parametrize("program", PROGRAMS)
def test_label_images_of_programs_are_found_beside_the_movie(program, movie, labels):
    name = PROGRAMS[program][0].format(stem="cells")
    tifffile.imwrite(movie.with_name(name), labels[0])
    policy = policy_of(program)
    assert read(policy, movie) == {(1, 0), (2, 0)}
    assert policy.files(movie) == [movie.with_name(name)]


def test_labels_of_several_frames_are_anchors_of_one_object(movie, labels):
    tifffile.imwrite(movie.with_name("cells_cp_masks.tif"), labels)
    assert read(policy_of("cellpose", (0, 3)), movie) == {(1, 0), (2, 0), (1, 3)}


def test_labels_inside_the_movie_are_taken(tmp_path, labels):
    path = tmp_path / "cells.zarr"
    group = zarr.open_group(path, mode="w")
    group.create_array("0", data=np.zeros(SHAPE, np.uint16))
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [
            {
                "axes": [{"name": one} for one in "tyx"],
                "datasets": [
                    {
                        "path": "0",
                        "coordinateTransformations": [
                            {"type": "scale", "scale": [1, 1, 1]}
                        ],
                    }
                ],
            }
        ],
    }
    group.require_group("labels").create_array("nuclei", data=labels)
    policy = policy_of("labels/nuclei", (0,))
    assert policy == PromptsInside(group="labels/nuclei")
    assert read(policy, path) == {(1, 0), (2, 0)}
    with pytest.raises(InputError, match="holds no labels/cells"):
        read(PromptsInside(group="labels/cells"), path)


def test_a_table_for_each_movie(movie):
    table = movie.with_name("cells.csv")
    table.write_text("index,axis-0,axis-1,axis-2,label\n0,1,4,4,7\n")
    assert read(policy_of("{stem}.csv"), movie) == {(7, 1)}


def test_no_prompts_beside_a_movie_says_what_was_looked_for(movie):
    with pytest.raises(InputError, match=r"cells_cp_masks.tif and cells_cp_masks.png"):
        read(policy_of("cellpose"), movie)


def test_one_file_for_all_movies(movie, labels, tmp_path):
    path = tmp_path / "first.tif"
    tifffile.imwrite(path, labels[0])
    assert policy_of(str(path)) == SamePrompts(path=path)
    assert read(policy_of(str(path)), movie) == {(1, 0), (2, 0)}


def test_words_that_say_nothing_are_refused():
    with pytest.raises(InputError, match="says nothing of prompts"):
        policy_of("nuclei.tif")


@pytest.mark.parametrize("pattern", ["masks.tif", "{stem", "{movie}.tif", "{}"])
def test_patterns_that_name_one_file_for_all_are_refused(pattern):
    with pytest.raises(ValidationError, match=r"put \{stem\} or \{name\}"):
        PromptsBeside(patterns=(pattern,))


def test_policies_survive_the_trip_through_json(tmp_path):
    adapter = TypeAdapter(PromptPolicy)
    for policy in (policy_of("cellpose", (0, 3)), SamePrompts(path=tmp_path)):
        assert adapter.validate_json(adapter.dump_json(policy)) == policy


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.ome.tif", "a"), ("a.b.tif", "a.b"), ("a.OME.ZARR", "a"), ("folder", "folder")],
)
def test_stems(name, stem):
    assert stem_of(Path(name)) == stem

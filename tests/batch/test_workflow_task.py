"""What workflow systems start, and the files by which they know it."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
import zarr
from tests.batch.images import multiscales, write_labels

from napari_sam2.commands.batch import workflow_task
from napari_sam2.io.label_store.store import OmeZarrLabelStore

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool():
    path = ROOT / "tools" / "workflow_files.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_fractals_manifest_is_that_of_the_settings_and_valid(tool):
    written = json.loads(tool.MANIFEST.read_text("utf-8"))
    assert written == tool.manifest(), "run tools/workflow_files.py"
    from fractal_task_tools._specs import validate_schema
    from fractal_task_tools._task_arguments import validate_arguments
    from fractal_task_tools.task_models import ParallelTask

    (task,) = written["task_list"]
    assert (ROOT / "src" / "napari_sam2" / task["executable_parallel"]).is_file()
    schema = task["args_schema_parallel"]
    validate_schema(schema=schema, path="TrackImage", root_schema=schema)
    validate_arguments(task_type="parallel", schema=schema, executable_kind="parallel")
    ParallelTask(
        name=task["name"],
        executable=task["executable_parallel"],
        meta=task["meta_parallel"],
        category=task["category"],
        tags=task["tags"],
        docs_info=task["docs_info"],
    )


def test_the_bilayers_configuration_is_that_of_the_settings(tool):
    written = yaml.safe_load(tool.BILAYERS.read_text("utf-8"))
    assert written == tool.bilayers(), "run tools/workflow_files.py"
    assert (
        written["exec_function"]["cli_command"] == f"python -m {workflow_task.__name__}"
    )


def command_of_bilayers(**given):
    """Return the arguments that Bilayers puts together: inputs, then parameters."""
    written = yaml.safe_load((ROOT / "docs/bilayers/config.yaml").read_text("utf-8"))
    widgets = (*written["inputs"], *written["parameters"])
    return [
        str(part)
        for one in widgets
        for part in (one["cli_tag"], given.get(one["name"], one["default"]))
    ]


def run_main(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["workflow_task.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        workflow_task.main()
    return ended.value.code


def test_an_image_is_tracked_as_fractal_asks(
    movie, files, tmp_path, monkeypatch, capsys
):
    image = zarr.open_group(tmp_path / "cells.zarr", mode="w")
    image.attrs["ome"] = multiscales("tyx", "cells")
    frames = np.stack([movie.frame(index) for index in range(3)])
    image.create_array("0", data=frames)
    labels = image.create_group("labels")
    labels.attrs["ome"] = {"version": "0.5", "labels": ["nuclei"]}
    write_labels(labels, movie.labels(0))
    asked, told = tmp_path / "args.json", tmp_path / "out.json"
    arguments = {
        "zarr_url": str(tmp_path / "cells.zarr"),
        "prompts_from": "labels/nuclei",
        "model": str(files / "toy.safetensors"),
        "device": "cpu",
    }
    asked.write_text(json.dumps(arguments))
    flags = "--args-json", asked, "--out-json", told
    assert run_main(monkeypatch, *flags) == 0
    url = {"zarr_url": arguments["zarr_url"]}
    assert json.loads(told.read_text()) == {"image_list_updates": [url]}
    assert OmeZarrLabelStore.open(tmp_path / "cells.zarr", mode="r").is_complete
    asked.write_text(json.dumps(arguments | {"device": "abacus"}))
    assert run_main(monkeypatch, *flags) == 2
    assert "device: Input should be" in capsys.readouterr().err
    asked.write_text(json.dumps(arguments | {"prompts_from": "labels/none"}))
    assert run_main(monkeypatch, *flags) == 2


def test_a_folder_is_tracked_as_bilayers_asks(files, tmp_path, monkeypatch, capsys):
    movies, results = tmp_path / "movies", tmp_path / "results"
    movies.mkdir()
    given = {"movies": movies, "results": results, "device": "cpu"}
    given |= {"model": files / "toy.safetensors", "prompts_from": files / "prompts.tif"}
    command = command_of_bilayers(**given)
    assert run_main(monkeypatch, *command) == 2
    assert "holds no movies" in capsys.readouterr().err
    shutil.copy(files / "prompts.tif", movies / "a.tif")
    assert run_main(monkeypatch, *command) == 0
    assert (results / "a_labels.tif").exists()
    assert (results / "report" / "report.html").exists()
    assert run_main(monkeypatch) == 2

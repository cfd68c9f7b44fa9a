"""Make the files by which workflow systems know the plugin.

    python tools/workflow_files.py

Writes Fractal's manifest into the package and Bilayers' configuration into ``docs``,
both made of the settings in ``commands/batch/workflow_task.py``. A test compares.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from napari_sam2 import __version__
from napari_sam2.commands.batch.workflow_task import ImageTask, TaskSettings

ROOT = Path(__file__).parents[1]
EXECUTABLE = "commands/batch/workflow_task.py"
DOCS = "https://github.com/napari-sam2/napari-sam2/blob/main/docs/cluster.md"
MANIFEST = ROOT / "src" / "napari_sam2" / "__FRACTAL_MANIFEST__.json"
BILAYERS = ROOT / "docs" / "bilayers" / "config.yaml"
IMAGE: dict[str, Any] = {
    "type": "image",
    "optional": False,
    "folder_name": "/bilayers/input_images",
    "file_count": "multiple",
    "default": "directory",
    "mode": "beginner",
    "depth": True,
    "timepoints": True,
    "tiled": True,
    "pyramidal": True,
}
RESULTS = "/bilayers/output_images"
KINDS = {"integer": "integer", "string": "textbox"}


def manifest() -> dict[str, Any]:
    """Return Fractal's manifest: one task, in parallel over images."""
    schema = ImageTask.model_json_schema()
    schema["title"] = "TrackImage"
    schema.pop("description")
    task = {
        "name": "Track with SAM 2",
        "type": "parallel",
        "category": "Segmentation",
        "tags": ["SAM 2", "tracking", "cells"],
        "executable_parallel": EXECUTABLE,
        "meta_parallel": {"cpus_per_task": 4, "mem": 8000},
        "args_schema_parallel": schema,
        "docs_info": "Tracks objects through an OME-Zarr image, into labels in it.",
        "docs_link": DOCS,
    }
    return {
        "manifest_version": "2",
        "task_list": [task],
        "has_args_schemas": True,
        "args_schema_version": "fractal_schema_v1",
        "authors": "The napari-sam2 developers",
    }


def bilayers() -> dict[str, Any]:
    """Return Bilayers' configuration: a folder of movies in, a folder of labels out."""
    movies = {
        "name": "movies",
        "label": "Movies",
        "description": "Movies to track in",
        "cli_tag": "--movies",
        "cli_order": 0,
        "subtype": ["grayscale", "color"],
        "format": ["tiff", "ometiff", "omezarr"],
        "unique_string": ["*"],
        "section_id": "inputs",
    }
    labels = {
        "name": "labels",
        "label": "Labels",
        "description": "Label images of all movies, masklets as OME-Zarr, the report",
        "cli_tag": "None",  # outputs are never part of the command, see `_results`
        "cli_order": 0,
        "subtype": ["label"],
        "format": ["tiff", "omezarr"],
        "unique_string": ["_labels"],
        "section_id": "outputs",
        "folder_name": RESULTS,
    }
    return {
        "citations": [
            {
                "name": "SAM 2",
                "doi": "10.48550/arXiv.2408.00714",
                "license": "Apache-2.0",
                "description": "Segment Anything in images and videos",
            },
            {
                "name": "napari-sam2",
                "license": "BSD-3-Clause",
                "description": "Tracks prompted objects through movies",
            },
        ],
        "docker_image": {
            "org": "napari-sam2",
            "name": "napari-sam2",
            "tag": __version__,
            "platform": "linux/amd64",
        },
        "algorithm_folder_name": "napari_sam2",
        "exec_function": {
            "name": "generate_cli_command",
            "cli_command": "python -m napari_sam2.commands.batch.workflow_task",
            "hidden_args": None,
        },
        "inputs": [{**IMAGE, **movies}],
        "outputs": [{**IMAGE, **labels}],
        "parameters": [*map(_parameter, TaskSettings.model_fields), _results()],
        "display_only": None,
    }


def _parameter(name: str) -> dict[str, Any]:
    """Return one field of the settings as a widget."""
    described = TaskSettings.model_json_schema()["properties"][name]
    found: dict[str, Any] = {
        "name": name,
        "type": KINDS[described["type"]],
        "label": name.replace("_", " ").capitalize(),
        "description": described["description"],
        "default": described["default"],
        "cli_tag": f"--{name.replace('_', '-')}",
        "optional": True,
        "section_id": "input-args",
        "mode": "beginner",
    }
    if "enum" in described:
        choices = [{"label": one, "value": one} for one in described["enum"]]
        found |= {"type": "radio", "options": choices}
    return found


def _results() -> dict[str, Any]:
    """Return the folder of the outputs as a widget: only so the command names it."""
    return {
        "name": "results",
        "type": "textbox",
        "label": "Results",
        "description": "Folder that all results go into",
        "default": RESULTS,
        "cli_tag": "--results",
        "optional": True,
        "output_dir_set": True,
        "section_id": "output-args",
        "mode": "advanced",
    }


def main() -> None:
    """Write both files."""
    MANIFEST.write_text(json.dumps(manifest(), indent=2) + "\n", encoding="utf-8")
    BILAYERS.parent.mkdir(exist_ok=True)
    text = yaml.safe_dump(bilayers(), sort_keys=False, allow_unicode=True)
    BILAYERS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

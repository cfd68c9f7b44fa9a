"""What workflow systems start: one OME-Zarr image (Fractal), or a folder (Bilayers).

    python workflow_task.py --args-json ARGS --out-json OUT
    python workflow_task.py --movies FOLDER --results FOLDER [--model …]

Fractal runs this file itself. Its settings are fields of `TaskSettings`: Fractal's
manifest and Bilayers' configuration are made of them by ``tools/workflow_files.py``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_sam2.batch.job import FrameOptions
from napari_sam2.batch.models import ModelOptions
from napari_sam2.batch.plan.plan import BatchPlan
from napari_sam2.batch.prompting.policies import policy_of
from napari_sam2.batch.running.batch import run_plan
from napari_sam2.batch.running.movie_run import make_it_so
from napari_sam2.commands.border import ending_in_one_line
from napari_sam2.commands.progress import listening_to_signals
from napari_sam2.errors import InputError

NETWORK, PLAN = ModelOptions(), BatchPlan.model_fields


class TaskSettings(BaseModel):
    """The fields of a plan that people set in a workflow system."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompts_from: Annotated[
        str,
        Field(
            description="automatic, cellpose, stardist, ilastik, a label group such as "
            "labels/nuclei, or a name beside each movie such as {stem}_labels.tif"
        ),
    ] = "automatic"
    prompt_frame: Annotated[
        int, Field(ge=0, description="Frame that label images are taken of")
    ] = 0
    name: Annotated[str, Field(description="Name of the new label group")] = PLAN[
        "name"
    ].default
    model: Annotated[str, Field(description="Name or path of the network")] = (
        NETWORK.model
    )
    device: Annotated[
        Literal["auto", "cpu", "cuda"], Field(description="Where the network computes")
    ] = "auto"
    channel: Annotated[
        int, Field(ge=-1, description="Channel to track in; -1 for the only one")
    ] = -1

    def plan(self, movies: tuple[str, ...], out: str, **fields: Any) -> BatchPlan:
        """Return the plan of these settings for movies.

        Raises
        ------
        InputError
            If there is nothing to take prompts from.
        """
        channels = None if self.channel < 0 else (self.channel,)
        return BatchPlan(
            movies=movies,
            out=out,
            prompts=policy_of(self.prompts_from, (self.prompt_frame,)),
            name=self.name,
            frame_options=FrameOptions(channels=channels),
            model_options=ModelOptions(model=self.model, device=self.device),
            **fields,
        )


class ImageTask(TaskSettings):
    """Track objects through one OME-Zarr image, into labels inside of it."""

    zarr_url: Annotated[str, Field(description="Path of the OME-Zarr image")]


def track_image(task: ImageTask) -> dict[str, Any]:
    """Track in one image; what is complete stays, what was begun goes on.

    Returns
    -------
    dict
        As Fractal reads it: which image changed.

    Raises
    ------
    SystemExit
        With the error on stderr, and its exit code.
    """
    (planned,) = task.plan((task.zarr_url,), "{movie}").planned()
    with listening_to_signals() as stopping:
        outcome = make_it_so(planned, is_cancelled=stopping)
    if not outcome.is_good:
        sys.stderr.write(f"napari-sam2: {outcome.error or outcome.state}\n")
        raise SystemExit(stopping.exit_code or outcome.exit_code)
    return {"image_list_updates": [{"zarr_url": task.zarr_url}]}


def track_folder(movies: Path, results: Path, settings: TaskSettings) -> int:
    """Track in all movies of a folder; return the exit code.

    Masklets, their label images as TIFF, and the report go into ``results``.

    Raises
    ------
    InputError
        If the folder holds nothing.
    """
    found = sorted(path for path in movies.iterdir() if not path.name.startswith("."))
    if not found:
        raise InputError(f"{movies}: holds no movies")
    out = str(results / "{stem}.zarr")
    exports = {"tiff": str(results / "{stem}_labels.tif")}
    plan = settings.plan(tuple(map(str, found)), out, exports=exports)
    with listening_to_signals() as stopping:
        report = run_plan(plan, results / "report", is_cancelled=stopping)
    return stopping.exit_code or report.exit_code


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("args-json", "out-json", "movies", "results"):
        parser.add_argument(f"--{name}", type=Path)
    for name, field in TaskSettings.model_fields.items():
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, default=field.default, help=field.description)
    given = vars(parser.parse_args())
    with ending_in_one_line(as_json=False):
        raise SystemExit(_run(given))


def _run(given: dict[str, Any]) -> int:
    try:
        if given["args_json"] and given["out_json"]:
            text = given["args_json"].read_text(encoding="utf-8")
            done = track_image(ImageTask.model_validate_json(text))
            given["out_json"].write_text(json.dumps(done), encoding="utf-8")
            return 0
        if given["movies"] and given["results"]:
            fields = {name: given[name] for name in TaskSettings.model_fields}
            settings = TaskSettings.model_validate(fields)
            return track_folder(given["movies"], given["results"], settings)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{field}: {first['msg']}") from error
    raise InputError("give --args-json and --out-json, or --movies and --results")


if __name__ == "__main__":
    main()

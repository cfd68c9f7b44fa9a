"""The prompts file: JSON, version 1, with masks as images beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath, PureWindowsPath
from reprlib import Repr
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
)

from napari_sam2.errors import InputError
from napari_sam2.io.movies.files.image_stacks import one_line, reading
from napari_sam2.io.prompts.bounds import PromptBounds, check_family
from napari_sam2.io.prompts.label_images import read_plane
from napari_sam2.paths import read_text
from napari_sam2.prompts import (
    MAX_OBJECT_ID,
    BoxPrompt,
    FramePrompt,
    MaskPrompt,
    PointPrompt,
    PromptedObject,
)

_BRIEF = Repr()
_BRIEF.maxstring = _BRIEF.maxother = 60

Position = Annotated[list[FiniteFloat], Field(min_length=2, max_length=2)]
Corners = Annotated[list[FiniteFloat], Field(min_length=4, max_length=4)]
ObjectId = Annotated[int, Field(ge=1, le=MAX_OBJECT_ID)]


def _whole_characters(text: str) -> str:
    r"""Refuse what JSON can say (``\ud800``) and no file or terminal can hold."""
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("text needs whole characters")
    return text


Words = Annotated[str, AfterValidator(_whole_characters)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class PromptEntry(_Entry):
    """What is said about an object on one frame, or on plane ``z`` of a stack."""

    frame: Annotated[int, Field(ge=0)]
    z: Annotated[int, Field(ge=0)] | None = None
    points: list[Position] | None = None
    positive: list[bool] | None = None
    box: Corners | None = None
    mask: Words | None = None
    absent: Literal[True] | None = None


class ObjectEntry(_Entry):
    """An object with its prompts."""

    id: ObjectId
    name: Words = ""
    parent: ObjectId | None = None
    prompts: list[PromptEntry] = []


class PromptsDocument(_Entry):
    """A whole prompts file."""

    version: Literal[1]
    objects: list[ObjectEntry]


def read_json_prompts(path: Path, *, bounds: PromptBounds) -> list[PromptedObject]:
    """Read a prompts file and the masks that it names.

    Raises
    ------
    InputError
        Naming the object, the frame and the field.
    """
    document = read_document(path)
    objects = [_read_object(entry, path, bounds) for entry in document.objects]
    check_family(objects, str(path))
    if not any(item.prompts for item in objects):
        raise InputError(f"{path} holds no prompts")
    return objects


def read_document(path: Path) -> PromptsDocument:
    """Read a prompts file as it is written.

    Raises
    ------
    InputError
        If it is no such file, naming the field.
    """
    try:
        content = json.loads(read_text(path, "JSON"), object_pairs_hook=_fields)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as JSON: {one_line(error)}") from error
    if isinstance(content, dict) and "objects" not in content:
        raise InputError(
            f"{path} is JSON, but holds no prompts, which are a list of 'objects'; of "
            "annotations of other programs (COCO, GeoJSON, labelme) give label images"
        )
    try:
        return PromptsDocument.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {_explain(error, content)}") from error


def _fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a field that is there twice: of two ids one would be lost."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field {_short(twice)} is there twice")
    return fields


def document_of(
    objects: Sequence[PromptedObject], mask_folder: str
) -> tuple[PromptsDocument, dict[str, np.ndarray]]:
    """Describe objects as a document, and the masks by their relative paths."""
    entries, masks = [], {}
    for item in objects:
        prompts = []
        for prompt in item.prompts:
            if prompt.mask is None:
                prompts.append(describe_prompt(prompt, None))
            elif prompt.mask.mask.any():
                name = f"{mask_folder}/{item.object_id}-{prompt.frame_index}.png"
                masks[name] = prompt.mask.mask
                prompts.append(describe_prompt(prompt, name))
            else:
                prompts.append(PromptEntry(frame=int(prompt.frame_index), absent=True))
        entries.append(
            ObjectEntry(
                id=item.object_id, name=item.name, parent=item.parent, prompts=prompts
            )
        )
    return PromptsDocument(version=1, objects=entries), masks


def describe_prompt(prompt: FramePrompt, mask: str | None) -> PromptEntry:
    """Describe a prompt; its mask is called `mask`."""
    box = prompt.box
    return PromptEntry(
        # A viewer's numbers may be numpy's own.
        frame=int(prompt.frame_index),
        points=[[float(point.y), float(point.x)] for point in prompt.points] or None,
        positive=[bool(point.positive) for point in prompt.points] or None,
        box=None if box is None else [*map(float, (box.y0, box.x0, box.y1, box.x1))],
        mask=mask,
    )


def _read_object(
    entry: ObjectEntry, path: Path, bounds: PromptBounds
) -> PromptedObject:
    for said in entry.prompts:
        if said.z is not None:
            raise InputError(
                f"{path}: object {entry.id}, frame {said.frame}, z: only movies of "
                "stacks have planes: leave it out, or track with --mode tzyx"
            )
    prompts = sorted(
        (read_entry(prompt, entry.id, path, bounds) for prompt in entry.prompts),
        key=lambda prompt: prompt.frame_index,
    )
    for prompt, following in pairwise(prompts):
        if prompt.frame_index == following.frame_index:
            raise InputError(
                f"{path}: object {entry.id} has two prompts on frame "
                f"{prompt.frame_index}; put its points and box into one"
            )
    return PromptedObject(entry.id, tuple(prompts), entry.name, entry.parent)


def read_entry(
    entry: PromptEntry, object_id: int, path: Path, bounds: PromptBounds
) -> FramePrompt:
    """Return what an entry of a file says, with its mask; its plane is not looked at.

    Raises
    ------
    InputError
        Naming the object, the frame and the field.
    """
    where = f"{path}: object {object_id}, frame {entry.frame}"
    bounds.check_frame(entry.frame, f"{path}: object {object_id}")
    if entry.absent and entry.mask is not None:
        raise InputError(
            f"{where}: an object that is absent has no mask: leave one out"
        )
    mask = _read_mask(entry.mask, path.parent, bounds, f"{where}, mask")
    if entry.absent:
        mask = MaskPrompt(np.zeros(bounds.frame_shape, bool))
    try:
        return FramePrompt(
            object_id,
            entry.frame,
            points=_read_points(entry, bounds, where),
            box=_read_box(entry.box, bounds, where),
            mask=mask,
        )
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def _read_points(
    entry: PromptEntry, bounds: PromptBounds, where: str
) -> tuple[PointPrompt, ...]:
    points = entry.points or []
    positive = [True] * len(points) if entry.positive is None else entry.positive
    if len(positive) != len(points):
        raise InputError(
            f"{where}, positive: {len(positive)} values for {len(points)} points; give "
            "one true or false for each"
        )
    bounds.check_points(len(points), where)
    for number, (y, x) in enumerate(points):
        bounds.check_position(y, x, f"{where}, points {number}")
    return tuple(
        PointPrompt(y, x, flag) for (y, x), flag in zip(points, positive, strict=True)
    )


def _read_box(
    corners: Sequence[float] | None, bounds: PromptBounds, where: str
) -> BoxPrompt | None:
    if corners is None:
        return None
    y0, x0, y1, x1 = corners
    bounds.check_position(y0, x0, f"{where}, box")
    bounds.check_position(y1, x1, f"{where}, box")
    try:
        return BoxPrompt(y0, x0, y1, x1)
    except ValueError as error:
        raise InputError(f"{where}, {error}") from error


def _read_mask(
    name: str | None, folder: Path, bounds: PromptBounds, where: str
) -> MaskPrompt | None:
    if name is None:
        return None
    with reading(f"{where}: {name}", "check who may read it"):
        file = _path_inside(folder, name, where)
        if not file.is_file():
            raise InputError(f"{where}: there is no file {name} beside the prompts")
    mask = read_plane(file) != 0
    if mask.shape != bounds.frame_shape:
        raise InputError(
            f"{where}: {name} is {mask.shape[0]} × {mask.shape[1]} pixels, but the "
            f"movie is {bounds.frame_shape[0]} × {bounds.frame_shape[1]}"
        )
    if not mask.any():
        raise InputError(
            f"{where}: {name} is empty; if the object is not there, say "
            '"absent": true instead of the mask'
        )
    return MaskPrompt(mask)


def _path_inside(folder: Path, name: str, where: str) -> Path:
    """Return the path of a mask, which may not leave the folder, links followed."""
    rooted = PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor
    target = (folder / name).resolve() if name and "\0" not in name else folder
    if rooted or not target.is_relative_to(folder.resolve()) or target == folder:
        raise InputError(
            f"{where}: {name!r} must be a relative path that stays in the folder of "
            "the prompts"
        )
    return target


def _explain(error: ValidationError, content: Any) -> str:
    """Say in one line where the first fault is, and what it is."""
    fault = error.errors()[0]
    steps = [str(step) for step in fault["loc"]]
    entry: Any = content
    if len(steps) > 1 and steps[0] == "objects":
        entry = entry["objects"][int(steps[1])]
        words = [_called("object", entry, "id", steps[1])]
        steps = steps[2:]
        if len(steps) > 1 and steps[0] == "prompts":
            words.append(
                _called("frame", entry["prompts"][int(steps[1])], "frame", "?")
            )
            steps = steps[2:]
    else:
        words = []
    if steps:
        words.append(" ".join(steps))
    return f"{', '.join(words)}: {_fault_in_words(fault)}".removeprefix(": ")


def _called(word: str, entry: Any, key: str, position: str) -> str:
    value = entry.get(key) if isinstance(entry, Mapping) else None
    if value is None:
        return f"{word} number {position}"
    return f"{word} {value if isinstance(value, int) else _short(value)}"


def _fault_in_words(fault: Mapping[str, Any]) -> str:
    words = {
        "missing": "this field is missing",
        "model_type": "a dictionary of fields, in braces, is expected here",
        "extra_forbidden": "there is no such field; check its spelling",
    }
    if fault["type"] in words:
        return words[fault["type"]]
    message = fault["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    return f"{message}, not {_short(fault['input'])}"


def _short(value: Any) -> str:
    """Return a value as Python writes it, however long or deep it is."""
    return _BRIEF.repr(value)[:60]

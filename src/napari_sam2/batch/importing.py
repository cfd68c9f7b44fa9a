"""Masklets of other trackers, written as ours: to be looked at, corrected, exported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict

from napari_sam2 import __version__
from napari_sam2.batch.job import FrameOptions
from napari_sam2.batch.output import Output
from napari_sam2.batch.prompting.policies import UserPath
from napari_sam2.errors import InputError
from napari_sam2.interfaces import FrameResult, ObjectScores
from napari_sam2.io.imports.formats import open_tracked
from napari_sam2.io.imports.tracked_labels import TrackedLabels
from napari_sam2.io.label_store.store import DEFAULT_NAME
from napari_sam2.io.movies.fingerprint import fingerprint_of
from napari_sam2.io.movies.frame_sources import StackFrames, open_frames
from napari_sam2.io.sessions.provenance import IMPORTED, Provenance
from napari_sam2.metrics.regions import areas
from napari_sam2.model.checkpoints.weights_file import (
    pads_frames,
    trained_image_size,
    weights_sha256,
)
from napari_sam2.model.config import LOGIT_STRIDE
from napari_sam2.prompts import FramePrompt, MaskPrompt, PromptedObject
from napari_sam2.tiles import TileLayout

CERTAIN = 10.0
"""Logit of what a mask that was given says, as SAM 2 has it."""


class ImportJob(BaseModel):
    """A request to take over masklets.

    Attributes
    ----------
    source, movie, out
        What another tracker made, of which movie, and where the masklets go.
    format_name
        A key of `io.imports.formats.READERS`; None to see it by what lies there.
    name
        Name of the label group.
    model
        With whose input size they are kept, so that it can correct them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    source: UserPath
    movie: UserPath
    out: UserPath
    format_name: str | None = None
    name: str = DEFAULT_NAME
    model: str = "nano"
    frame_options: FrameOptions = FrameOptions()
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Imported:
    """What was taken over: the label group, its objects, those with a mother.

    ``remark`` is what people should be told of the label group.
    """

    labels: Path
    objects: int
    daughters: int
    remark: str | None


def import_masklets(job: ImportJob) -> Imported:
    """Write the masklets of another tracker as a label group; all is checked before.

    Raises
    ------
    InputError
        If they cannot be read, contradict themselves, or belong to another movie.
    OutputError
        If the group exists, or cannot be written.
    """
    output = Output(job.out, job.name, overwrite=job.overwrite)
    output.check()
    with (
        closing(open_frames(job.movie, **dict(job.frame_options))) as movie,
        closing(open_tracked(job.source, job.format_name)) as tracked,
    ):
        tracked.check_fits(movie.frame_count, movie.frame_shape)
        objects = _objects(tracked)
        side = _input_size(job.model) // LOGIT_STRIDE
        provenance = _provenance(job, movie)
        layout = TileLayout.whole(movie.frame_shape)
        if pads_frames(job.model):
            layout = layout.squared()
        store, remark = output.open(movie, objects, provenance, (side, side), layout)
        with closing(store):
            for result in _results(tracked, side, layout):
                store.write(result)
            store.finish()
    labels = job.out / "labels" / job.name
    daughters = sum(one.parent is not None for one in objects)
    return Imported(labels, len(objects), daughters, remark)


def _input_size(model: str) -> int:
    size = trained_image_size(model)
    if size is None:
        raise InputError(
            f"--model {model}: its file does not say its input size; give a model of "
            "`napari-sam2 models list`"
        )
    return size


def _objects(tracked: TrackedLabels) -> list[PromptedObject]:
    """Return all objects, each prompted with its mask on the frame that shows it first.

    So the masklets can be opened, corrected and tracked again.
    """
    first: dict[int, FramePrompt] = {}
    for frame_index, labels in tracked.frames():
        for object_id in np.unique(labels[labels > 0]).tolist():
            if object_id not in first:
                mask = MaskPrompt(labels == object_id)
                first[object_id] = FramePrompt(object_id, frame_index, mask=mask)
    if not first:
        raise InputError(f"{tracked.name}: no frame holds an object")
    return [
        PromptedObject(one, (first[one],), parent=tracked.mothers.get(one))
        for one in sorted(first)
    ]


def _results(
    tracked: TrackedLabels, side: int, layout: TileLayout
) -> Iterator[FrameResult]:
    for frame_index, labels in tracked.frames():
        ids = tuple(np.unique(labels[labels > 0]).tolist())
        count = len(ids)
        scores = ObjectScores(
            np.full(count, CERTAIN, np.float32),
            np.ones(count, np.float32),
            np.ones(count, np.float32),
            areas(labels, ids),
        )
        seen = layout.crop(labels, 0)
        logits = [_logits(seen == object_id, side) for object_id in ids]
        stacked = np.array(logits, np.float32).reshape(count, side, side)
        yield FrameResult(frame_index, labels, ids, stacked, scores)


def _logits(mask: np.ndarray, side: int) -> np.ndarray:
    """Return what the tracker keeps of a given mask, ``(side, side)``."""
    covered = Image.fromarray(mask.astype(np.float32)).resize(
        (side, side), Image.Resampling.BOX
    )
    return np.asarray(covered) * (2 * CERTAIN) - CERTAIN


def _provenance(job: ImportJob, movie: StackFrames) -> Provenance:
    return Provenance(
        model=job.model,
        weights_sha256=weights_sha256(job.model),
        image_size=_input_size(job.model),
        device="cpu",
        precision="fp32",
        threads=1,
        frames=dict(movie.provenance),
        fingerprint=fingerprint_of(movie),
        settings={IMPORTED: str(job.source)},
        plugin_version=__version__,
    )

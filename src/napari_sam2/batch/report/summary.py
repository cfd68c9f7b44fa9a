"""What people should see of one movie: curves, pictures, what is doubtful."""

from __future__ import annotations

import base64
import io
from contextlib import closing
from typing import Any

import numpy as np
from PIL import Image

from napari_sam2.batch.job import TrackJob
from napari_sam2.batch.report.outcome import MovieSummary
from napari_sam2.batch.score_tables import tables_of
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.movies.frame_sources import StackFrames, open_frames
from napari_sam2.io.movies.intensity import IntensityMapping
from napari_sam2.session.planning.plan import Mode
from napari_sam2.session.scores.tables import DOUBTFUL, ScoreTables

PICTURE_SIDE = 320
"""Most pixels of the longer side of a picture."""
CURVE_POINTS = 120
"""Most points of a curve; of more frames some are left out."""
GOLDEN_ANGLE = 0.381966


def summary_of(job: TrackJob) -> MovieSummary:
    """Look at the masklets of a job, and at three frames of its movie.

    Of a movie of stacks there is nothing to show.
    """
    if job.mode is Mode.TZYX:
        return MovieSummary()
    store = OmeZarrLabelStore.open(job.out, job.name, mode="r")
    tables = tables_of(store)
    made_by = store.provenance
    computed = np.flatnonzero(~np.isnan(tables.area).all(axis=1))
    first, last = (int(computed[0]), int(computed[-1])) if len(computed) else (0, 0)
    shown = np.linspace(first, last, min(CURVE_POINTS, last - first + 1)).astype(int)
    return MovieSummary(
        lost=_lost(store, tables, last),
        doubtful=int((tables.trust() < DOUBTFUL).sum()),
        frames=tuple(shown.tolist()),
        area=_means(np.where(tables.area > 0, tables.area, np.nan)[shown]),
        trust=_means(tables.trust()[shown]),
        pictures=_pictures(job, store, sorted({first, (first + last) // 2, last})),
        model=made_by.model,
        weights=made_by.weights_sha256,
        device=made_by.device,
        precision=made_by.precision,
        threads=made_by.threads,
        version=made_by.plugin_version,
    )


def _lost(store: OmeZarrLabelStore, tables: ScoreTables, last: int) -> int:
    """Count the objects that are gone at the end, and did not divide."""
    mothers = {one.parent for one in store.objects}
    ids = np.array(store.object_ids, dtype=int)
    if not len(ids):
        return 0
    gone = ~(tables.area[last] > 0)
    return sum(int(one) not in mothers for one in ids[gone])


def _means(table: np.ndarray) -> tuple[float | None, ...]:
    """Return the mean over objects; None where nothing is known."""
    known = ~np.isnan(table)
    count = known.sum(axis=1)
    total = np.where(known, table, 0).sum(axis=1)
    return tuple(float(a / n) if n else None for a, n in zip(total, count, strict=True))


def _pictures(
    job: TrackJob, store: OmeZarrLabelStore, frames: list[int]
) -> tuple[tuple[int, str], ...]:
    """Return pictures of frames with the outlines of what was tracked."""
    stored = store.provenance.frames.get("intensity")
    options: dict[str, Any] = dict(job.frame_options)
    if stored is not None:  # known: nothing has to be measured again
        for name in ("contrast_limits", "percentiles"):
            options[name] = None
        options["mapping"] = IntensityMapping.model_validate(stored)
    with closing(open_frames(job.movie, **options)) as source:
        return tuple((frame, _picture(source, store, frame)) for frame in frames)


def _picture(source: StackFrames, store: OmeZarrLabelStore, frame_index: int) -> str:
    image, labels = source.read(frame_index), store.read_labels(frame_index)
    step = -(-max(labels.shape) // PICTURE_SIDE)
    image, labels = image[::step, ::step].copy(), labels[::step, ::step]
    edge = np.zeros(labels.shape, bool)
    edge[:-1] |= labels[:-1] != labels[1:]
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edge &= labels > 0
    image[edge] = _colors(labels[edge])
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()


def _colors(labels: np.ndarray) -> np.ndarray:
    """Return ``(n, 3)`` uint8: neighbouring ids have colours far from each other."""
    phase = 2 * np.pi * (labels.astype(float)[:, None] * GOLDEN_ANGLE)
    waves = 0.5 + 0.5 * np.cos(phase - 2 * np.pi * np.array([0, 1, 2]) / 3)
    colors: np.ndarray = (55 + 200 * waves).astype(np.uint8)
    return colors

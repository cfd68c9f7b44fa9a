"""SEG, DET, TRA and identity switches, as the Cell Tracking Challenge counts."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from napari_sam2.io.optional_packages import optional_package

MEASURES = ("SEG", "DET", "TRA", "IDSW")


def cell_tracking_scores(
    truth: Sequence[np.ndarray], guess: Sequence[np.ndarray]
) -> dict[str, float]:
    """Score label images of one movie with py-ctcmetrics.

    Divisions are in neither: a daughter is a track of its own, without a mother. A cell
    that comes back is, as the challenge has it, a track whose mother ended before.

    Parameters
    ----------
    truth, guess
        ``(Y, X)`` integer labels, a frame each.

    Raises
    ------
    InputError
        If the package is missing.
    """
    evaluate = optional_package("ctc_metrics.scripts.evaluate", "evaluate")
    with tempfile.TemporaryDirectory() as folder:
        known, found = Path(folder, "01_GT"), Path(folder, "01_RES")
        _write(known / "TRA", "man_track", known / "TRA" / "man_track.txt", truth)
        _write(known / "SEG", "man_seg", known / "man_seg.txt", truth)
        _write(found, "mask", found / "res_track.txt", guess)
        with redirect_stdout(io.StringIO()):
            scores = evaluate.evaluate_sequence(
                str(found), str(known), ["DET", "SEG", "TRA", "MOTA", "Valid"], 1
            )
    return {name: float(scores[name]) for name in MEASURES}


@dataclass(slots=True)
class _Track:
    """A line of the file of tracks, so far."""

    number: int
    first: int
    last: int
    mother: int


def _write(folder: Path, stem: str, table: Path, frames: Iterable[np.ndarray]) -> None:
    """Write label images, and the tracks in them."""
    folder.mkdir(parents=True)
    tracks: list[_Track] = []
    latest: dict[int, _Track] = {}
    for index, labels in enumerate(frames):
        written = np.zeros(labels.shape, np.uint16)
        for object_id in np.unique(labels[labels > 0]).tolist():
            track = latest.get(object_id)
            if track is None or track.last < index - 1:
                mother = track.number if track else 0
                track = _Track(len(tracks) + 1, index, index, mother)
                tracks.append(track)
                latest[object_id] = track
            track.last = index
            written[labels == object_id] = track.number
        path = folder / f"{stem}{index:04}.tif"
        tifffile.imwrite(path, written, photometric="minisblack")
    lines = [f"{one.number} {one.first} {one.last} {one.mother}\n" for one in tracks]
    table.write_text("".join(lines))

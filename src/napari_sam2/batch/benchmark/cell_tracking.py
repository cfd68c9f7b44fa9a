"""SEG, DET, TRA and identity switches, as the Cell Tracking Challenge counts."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import tifffile

from napari_sam2.io.optional_packages import optional_package

MEASURES = ("SEG", "DET", "TRA", "IDSW")


def cell_tracking_scores(
    truth: Sequence[np.ndarray], guess: Sequence[np.ndarray]
) -> dict[str, float]:
    """Score label images of one movie with py-ctcmetrics.

    Divisions are in neither: a daughter is a track of its own, without a mother. A
    track goes from its id's first frame to its last.

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
        _write(known / "TRA", "man_track", truth)
        _write(known / "SEG", "man_seg", truth)
        _write(found, "mask", guess)
        (found / "mask_track.txt").rename(found / "res_track.txt")
        with redirect_stdout(io.StringIO()):
            scores = evaluate.evaluate_sequence(
                str(found), str(known), ["DET", "SEG", "TRA", "MOTA", "Valid"], 1
            )
    return {name: float(scores[name]) for name in MEASURES}


def _write(folder: Path, stem: str, frames: Iterable[np.ndarray]) -> None:
    folder.mkdir(parents=True)
    lives: dict[int, tuple[int, int]] = {}
    for index, labels in enumerate(frames):
        small = np.asarray(labels, np.uint16)
        tifffile.imwrite(folder / f"{stem}{index:04}.tif", small)
        for one in np.unique(small[small > 0]).tolist():
            lives[one] = (lives.get(one, (index, index))[0], index)
    lines = [f"{one} {first} {last} 0" for one, (first, last) in sorted(lives.items())]
    (folder / f"{stem}_track.txt").write_text("\n".join(lines) + "\n")

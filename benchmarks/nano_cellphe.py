"""Score a small SAM 2 on real tracks: the later frames of CellPhe, never trained on.

    python benchmarks/nano_cellphe.py [WEIGHTS …] --data DATA [--image-size 384]

``train/cellphe-livecyte``: frames 0 to 259 may teach, 260 to 269 are a gap, 270 to 329
are measured, in windows of 24 frames (from 270, 288 and 306). In each window every
track that is there throughout is followed from its silver mask, or from a click at its
deepest pixel, on the window's first frame; all together, as a person would. Mean J per
track over the window's frames but the first, then over tracks, then over windows. The
baselines are given the same masks, frames and tracks.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import tifffile
from nano_tracking import Masks, Tracked, hold, otsu_linked, track

from napari_sam2.metrics import evaluate
from napari_sam2.model.checkpoints.checkpoint import load_model
from napari_sam2.model.sam2 import Sam2

FOLDER = Path("train", "cellphe-livecyte")
WINDOW = 24
STARTS = (270, 288, 306)
KINDS = ("mask", "click")

Follow = Callable[[Sequence[np.ndarray], Masks], Iterable[Tracked]]


def windows(folder: Path) -> Iterator[tuple[list[np.ndarray], np.ndarray, Masks]]:
    """Yield ``(Y, X, 3)`` frames, ``(T, Y, X)`` tracks and the first masks."""
    movie = tifffile.imread(folder / "movie.tif")
    tracks = tifffile.imread(folder / "tracks.tif")
    for start in STARTS:
        labels = tracks[start : start + WINDOW]
        frames = movie[start : start + WINDOW]
        lasting = set(np.unique(labels[0]).tolist()) - {0}
        for frame in labels[1:]:
            lasting &= set(np.unique(frame).tolist())
        masks = {one: labels[0] == one for one in sorted(lasting)}
        yield [np.repeat(frame[..., None], 3, -1) for frame in frames], labels, masks


def score(follow: Follow, folder: Path) -> float:
    """Return the mean J over windows."""
    means = []
    for frames, labels, masks in windows(folder):
        guessed = [tracked.labels for tracked in follow(frames, masks)]
        movie = evaluate(
            labels,
            guessed,
            objects=list(masks),
            frames=range(1, WINDOW),
            boundary=False,
        )
        means.append(movie.region)
    return float(np.mean(means))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", nargs="*")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--image-size", type=int)
    options = parser.parse_args()
    folder = options.data / FOLDER
    counts = [len(masks) for _, _, masks in windows(folder)]
    print(f"tracks in the windows: {counts}")
    for title, baseline in (("first mask held", hold), ("Otsu, linked", otsu_linked)):
        print(f"| {title} | {score(baseline, folder):.3f} | |")
    for name in options.weights or ["nano"]:
        values = [
            score(follow, folder)
            for follow in (
                partial(_followed, load_model(name), kind, options.image_size)
                for kind in KINDS
            )
        ]
        print(f"| {Path(name).stem} | {' | '.join(f'{v:.3f}' for v in values)} |")


def _followed(
    model: Sam2,
    kind: str,
    image_size: int | None,
    frames: Sequence[np.ndarray],
    masks: Masks,
) -> Iterator[Tracked]:
    return track(model, frames, masks, kind, image_size)


if __name__ == "__main__":
    main()

"""Draw what a small SAM 2 tracked on the real movie: outlines over four frames.

    python benchmarks/nano_pictures.py ../shared/data docs/nano-t98g.png [WEIGHTS]

One row from mask prompts, one from a click each. Green is the silver truth, red the
model; a cell without red was lost.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tifffile
from nano_scores import matched_tracks, stretched
from nano_tracking import track
from PIL import Image
from scipy import ndimage

from napari_sam2.model.checkpoints.checkpoint import load_model

SHOWN = (0, 4, 11, 19)


def outlines(labels: np.ndarray, ids: list[int]) -> np.ndarray:
    """Return the inner border pixels of the given objects."""
    border = np.zeros(labels.shape, bool)
    for object_id in ids:
        mask = labels == object_id
        border |= mask & ~ndimage.binary_erosion(mask)
    return border


def draw(frame: np.ndarray, truth: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Return the frame with the truth's outlines in green and the model's in red."""
    picture = frame.copy()
    picture[truth] = (60, 220, 60)
    picture[guess] = (240, 50, 50)
    return picture


def main(data: Path, picture: Path, weights: str) -> None:
    """Track from masks and clicks, and save the picture."""
    folder = data / "dev" / "t98g-phase"
    frames = stretched(tifffile.imread(folder / "movie.tif"))
    masks, silver = matched_tracks(folder)
    ids = list(masks)
    rows = []
    for kind in ("mask", "click"):
        tracked = track(load_model(weights), list(frames), masks, kind)
        labels = np.stack([one.labels for one in tracked])
        panels = [
            draw(frames[t], outlines(silver[t], ids), outlines(labels[t], ids))
            for t in SHOWN
        ]
        rows.append(np.concatenate(panels, axis=1))
    drawn = Image.fromarray(np.concatenate(rows)).quantize(96)  # a third of the bytes
    drawn.save(picture, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *(sys.argv[3:] or ["nano"]))

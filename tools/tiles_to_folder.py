"""Lay out baby-yeast and maize as folders of pictures and masks that training reads.

    python tools/tiles_to_folder.py ../shared/data/train runs/pictures

Of the yeast's focal planes, which lie side by side, the middle one and its neighbours
become pictures of their own; outlines are filled.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from napari_sam2.io.training.images import read_pixels


def main() -> None:
    """Write both folders."""
    source, out = map(Path, sys.argv[1:])
    for path in sorted((source / "baby-yeast").glob("*_Brightfield.png")):
        outlines = path.with_name(path.name.replace("Brightfield", "segoutlines"))
        if outlines.is_file():
            name = path.name.removesuffix("_Brightfield.png")
            _yeast(path, outlines, out / "baby-yeast", name)
    maize = source / "maize"
    pixels = read_pixels(maize / "maize_clsm.tif")
    labels = read_pixels(maize / "maize_clsm_labels.tif")
    _write(out / "maize", "maize", pixels, labels)


def _yeast(path: Path, outlines: Path, out: Path, name: str) -> None:
    pixels = read_pixels(path)
    with Image.open(outlines) as tiles:
        told = json.loads(tiles.info["Description"])
        lines = np.asarray(tiles) > 0
    height, width = told["tilesize"]
    labels = np.zeros((height, width), np.uint16)
    for number, cell in enumerate(np.atleast_1d(told["cellLabels"] or [])):
        outline = lines[:, number * width : (number + 1) * width]
        labels[ndimage.binary_fill_holes(outline)] = cell
    planes = pixels.shape[1] // width
    middle = planes // 2
    for plane in {max(0, middle - 1), middle, min(planes - 1, middle + 1)}:
        shown = pixels[:, plane * width : (plane + 1) * width]
        _write(out, f"{name}-{plane}", shown, labels)


def _write(out: Path, name: str, pixels: np.ndarray, labels: np.ndarray) -> None:
    for kind, array in (("images", pixels), ("masks", labels)):
        (out / kind).mkdir(parents=True, exist_ok=True)
        small = array.astype(np.uint8 if array.max() < 256 else np.uint16)
        Image.fromarray(small).save(out / kind / f"{name}.png")


if __name__ == "__main__":
    main()

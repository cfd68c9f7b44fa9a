"""Draw the curves of a training run as SVG: scores on held-out pictures over steps.

A run draws ``curves.svg`` itself; this is for tables of older ones.

python benchmarks/nano_curves.py runs/nano docs/nano-curves.svg
"""

from __future__ import annotations

import sys
from pathlib import Path

from napari_sam2.train.validation.curves import draw, validation_panels

if __name__ == "__main__":
    run, picture = Path(sys.argv[1]), Path(sys.argv[2])
    picture.write_text(draw(validation_panels(run / "validation.csv")))

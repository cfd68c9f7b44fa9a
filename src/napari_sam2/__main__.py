"""`python -m napari_sam2`: the command line."""

from __future__ import annotations

from napari_sam2.cli import main

main()

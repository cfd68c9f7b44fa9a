"""Track clicked cells through movies with SAM 2, in napari and without it."""

from __future__ import annotations

__version__ = "0.2.0.dev0"

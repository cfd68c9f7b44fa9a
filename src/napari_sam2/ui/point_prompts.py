"""Where a prompt belongs. Nothing of napari or Qt."""

from __future__ import annotations

import numpy as np

Place = tuple[int, int]
"""``(object_id, frame_index)``."""

MAX_OBJECT_ID = int(np.iinfo(np.uint16).max)
"""Masklets are uint16."""

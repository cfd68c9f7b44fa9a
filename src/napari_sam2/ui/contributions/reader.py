"""napari's way to our sessions: drag and drop, *File > Open*.

napari asks about every ``*.zarr`` before it is opened. Folders without a session of
ours are declined at once, and left to other readers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari_sam2.io.sessions.folder import session_names


def get_reader(path: str | Sequence[str]) -> Callable[[str], list[Any]] | None:
    """Return what reads a folder, or None if it holds no session of ours."""
    if not isinstance(path, str) or not session_names(Path(path)):
        return None
    from napari_sam2.ui.contributions.reader_layers import read_sessions

    return read_sessions

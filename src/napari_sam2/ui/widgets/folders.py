"""How folders are written in the window."""

from __future__ import annotations

from pathlib import Path


def short_path(path: Path) -> str:
    """Return a path as text, with ``~`` for the home folder."""
    home = Path.home()
    if not path.is_relative_to(home):
        return str(path)
    return str(Path("~") / path.relative_to(home))

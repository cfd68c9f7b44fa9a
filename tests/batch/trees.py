"""Folders as what is in their files."""

from pathlib import Path


def tree(folder):
    """Every file of a folder by its relative name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }

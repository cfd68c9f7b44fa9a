"""Which sessions of ours a folder holds; imports nothing, to be asked of any folder."""

from __future__ import annotations

from pathlib import Path

RUN = "napari-sam2"
"""The group of a run in its label group; `label_group` has the same name for it."""
GROUP_FILES = ("zarr.json", ".zgroup")


def session_names(path: Path) -> list[str]:
    """Return the names of the sessions in a folder, by the alphabet.

    Quick, and never an error: what cannot be read holds no session.
    """
    return _names(path, RUN)


def label_names(path: Path) -> list[str]:
    """Return the names of the labels in a folder, whoever made them."""
    return _names(path, ".")


def _names(path: Path, member: str) -> list[str]:
    try:
        return sorted(
            one.name
            for one in (path / "labels").iterdir()
            if not one.name.startswith(".")
            and any((one / member / name).is_file() for name in GROUP_FILES)
        )
    except OSError:
        return []

"""What a person chose in the dock, also in an earlier one."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_config_path
from qtpy.QtCore import QSettings

FILE = "dock.ini"


class Remembered:
    """Yes or no, by a name; written at once.

    Parameters
    ----------
    file
        Where; in the user's configuration folder unless given.
    """

    def __init__(self, file: Path | None = None) -> None:
        path = file or user_config_path("napari-sam2") / FILE
        self._settings = QSettings(str(path), QSettings.Format.IniFormat)

    def get(self, name: str) -> bool | None:
        """Return what was chosen; None if nothing was."""
        if not self._settings.contains(name):
            return None
        return bool(self._settings.value(name, type=bool))

    def put(self, name: str, value: bool) -> None:
        """Remember a choice."""
        self._settings.setValue(name, value)
        self._settings.sync()

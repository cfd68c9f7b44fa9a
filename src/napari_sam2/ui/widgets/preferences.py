"""What a person set in napari's preferences for this plugin, or the defaults.

napari keeps the values (its manifest's ``configurations``), writes them to its own
folder, and shows them in its window; here they become one frozen value with types.
Where napari cannot tell (too old, or the plugin is not registered) the defaults hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

PLUGIN = "napari-sam2"


@dataclass(frozen=True, slots=True)
class Preferences:
    """What new sessions begin with. Names and defaults are those of the manifest.

    Attributes
    ----------
    device, precision
        Where it runs, and in which numbers; ``"auto"`` decides by what is there.
    memory_gb
        Memory budget in 10⁹ bytes; 0 takes what is free.
    live_repair
        Track again at once what a correction makes out of date.
    warm_radius
        Frames on each side of the cursor that are prepared in the background.
    follow
        Show the frame that was just tracked, until somebody looks elsewhere.
    chime
        Tell when a long run has ended.
    folder
        Below it new sessions save themselves.
    show_picture
        Show what the model sees.
    """

    model: str = "nano"
    device: str = "auto"
    precision: str = "auto"
    memory_gb: float = 0.0
    live_repair: bool = True
    warm_radius: int = 5
    follow: bool = True
    chime: bool = True
    folder: str = "~/napari-sam2"
    show_picture: bool = True

    @property
    def session_folder(self) -> Path:
        """Below it new sessions save themselves."""
        return Path(self.folder or Preferences().folder).expanduser()

    @property
    def memory_bytes(self) -> int | None:
        """Memory budget in bytes; None takes what is free."""
        return round(self.memory_gb * 1e9) or None

    @classmethod
    def of(cls, categories: Mapping[str, Any]) -> Self:
        """Collect the values of all categories, whichever they stand in."""
        known = {field.name for field in fields(cls)}
        found: dict[str, Any] = {}
        for category in categories.values():
            found |= {name: category[name] for name in known & category.keys()}
        return cls(**found)


def read_preferences() -> Preferences:
    """Return what the person set; to be called in the main thread."""
    try:
        from napari.settings import get_plugin_settings
    except ImportError:  # napari before 0.9 has no preferences of plugins
        return Preferences()
    settings = get_plugin_settings().get(PLUGIN)
    if settings is None:  # an installation that napari did not find, or switched off
        return Preferences()
    return Preferences.of(settings.model_dump())

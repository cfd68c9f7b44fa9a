"""What made the masklets: enough to say it in a paper and to refuse a wrong resume."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from napari_sam2.errors import OtherMovieError
from napari_sam2.interfaces import TrackerSettings
from napari_sam2.io.movies.fingerprint import Fingerprint

DECIDING = {
    "weights_sha256": "the model's weights",
    "image_size": "the model's input size",
    "precision": "the precision",
    "prompts": "the prompts",
    "frames": "the movie or its intensity mapping",
    "settings": "the settings (direction, frames, merging, …)",
}
"""Fields that decide the result, and what people call them."""

NEVER_SEEN = (
    "was written before movies were known by their pixels: nobody can say whether this "
    "is the same movie; from now on it is known"
)


IMPORTED = "imported"
"""Setting of what was followed by another program: it says from which file."""

_TRACKER = TypeAdapter(TrackerSettings)


def settings_entry(tracker: TrackerSettings) -> dict[str, Any]:
    """Return how objects are followed, as it stands among the settings.

    What is as it always was is left out, so that a run that an earlier version began
    can be gone on with.
    """
    known = _TRACKER.dump_python(tracker, mode="json")
    kept = {key: value for key, value in known.items() if value}
    return {"raw_masks": tracker.raw_masks, **kept}


def _tracker_settings(settings: Mapping[str, Any]) -> TrackerSettings:
    """Return what `settings_entry` wrote, or an earlier version."""
    # What this program followed, and does not name a choice, was not cut down.
    unknown = {} if IMPORTED in settings else {"one_component": False}
    return _TRACKER.validate_python(unknown | dict(settings))


class Provenance(BaseModel):
    """How a label group came to be; kept in its attributes.

    Attributes
    ----------
    model, weights_sha256, image_size
        Name or path of the model, hash of its weights, input size in pixels.
    device, precision, threads
        What it ran on. Equal results are promised for the same three.
    memory_bytes
        What tracking was allowed to take on the device; None for what was free.
    prompts
        The prompts file as JSON.
    frames
        `FrameSource.provenance`: path, axes, selection, intensity mapping.
    fingerprint
        By which the movie is known again; None where an earlier version wrote.
    settings
        Everything else that decides the result: direction, frame range, merging, …; how
        objects were followed is written by `settings_entry`, and read as `tracker`.
    plan_key
        Hash of what decides the result; `decide_key` of this object unless given.
    """

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model: str
    weights_sha256: str
    image_size: int | None = None
    device: str
    precision: str
    threads: int = Field(ge=1)
    memory_bytes: int | None = Field(default=None, ge=1)
    prompts: Any = None
    frames: dict[str, Any] = {}
    fingerprint: Fingerprint | None = None
    settings: dict[str, Any] = {}
    plugin_version: str
    plan_key: str = ""

    @field_validator("settings")
    @classmethod
    def _check_settings(cls, settings: dict[str, Any]) -> dict[str, Any]:
        _tracker_settings(settings)
        return settings

    @property
    def tracker(self) -> TrackerSettings:
        """How the objects were followed, and are as long as one goes on with them."""
        return _tracker_settings(self.settings)

    def model_post_init(self, _context: object) -> None:
        """Fill in the plan key where the caller has none of its own."""
        if not self.plan_key:
            self.plan_key = self.decide_key()

    def decide_key(self) -> str:
        """Return the SHA-256 of all fields that decide the result."""
        text = json.dumps(self._deciding(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def differences(self, other: Provenance) -> list[str]:
        """Name what decides the result and is not the same in both.

        Returns
        -------
        list of str
            In people's words, such as ``"the prompts"``; empty if one run may go on
            where the other stopped.
        """
        mine, theirs = self._deciding(), other._deciding()
        if self.fingerprint is not None and other.fingerprint is not None:
            # Its pixels say which movie it is: a file may have got another name.
            for deciding in (mine, theirs):
                deciding["frames"].pop("source")
        named = [words for key, words in DECIDING.items() if mine[key] != theirs[key]]
        is_renamed = self._name() != other._name()
        if not named and not is_renamed and self.plan_key != other.plan_key:
            return ["the plan"]
        return named

    def check_movie(self, fingerprint: Fingerprint, where: str) -> str | None:
        """Refuse a movie that has other pixels than the one this was made of.

        Parameters
        ----------
        where
            What this is the provenance of, for people.

        Returns
        -------
        str or None
            What people should be told, where an earlier version knew no pixels.

        Raises
        ------
        OtherMovieError
            If a frame differs.
        """
        if self.fingerprint is None:
            return f"{where}: {NEVER_SEEN}"
        frame = self.fingerprint.different_frame(fingerprint)
        if frame is not None:
            raise OtherMovieError(
                f"{where}: was made of another movie: frame {frame} has other pixels "
                f"now than {self._name() or 'the movie'} had then; take the movie of "
                "then, or another folder (track: --accept-movie, if all cells are "
                "where they were)"
            )
        return None

    def with_movie(self, fingerprint: Fingerprint | None) -> Self:
        """Return the same, of a movie that is known by its pixels."""
        return self.model_copy(update={"fingerprint": fingerprint})

    def _name(self) -> str:
        return PurePath(str(self.frames.get("source", ""))).name

    def _deciding(self) -> Mapping[str, Any]:
        # Through JSON, so that what was read back equals what was written.
        fields = json.loads(self.model_dump_json(include=set(DECIDING)))
        # A movie may be moved: its name, shape and intensities tell it from others.
        fields["frames"]["source"] = self._name()
        return {key: fields[key] for key in DECIDING}

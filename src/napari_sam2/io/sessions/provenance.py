"""What made the masklets: enough to say it in a paper and to refuse a wrong resume."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

DECIDING = {
    "weights_sha256": "the model's weights",
    "image_size": "the model's input size",
    "precision": "the precision",
    "prompts": "the prompts",
    "frames": "the movie or its intensity mapping",
    "settings": "the settings (direction, frames, merging, …)",
}
"""Fields that decide the result, and what people call them."""


class Provenance(BaseModel):
    """How a label group came to be; kept in its attributes.

    Attributes
    ----------
    model, weights_sha256, image_size
        Name or path of the model, hash of its weights, input size in pixels.
    device, precision, threads
        What it ran on. Equal results are promised for the same three.
    prompts
        The prompts file as JSON.
    frames
        `FrameSource.provenance`: path, axes, selection, intensity mapping.
    settings
        Everything else that decides the result: direction, frame range, merging, …
    plugin_version
        Version of napari-sam2.
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
    prompts: Any = None
    frames: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    plugin_version: str
    plan_key: str = ""

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
        named = [words for key, words in DECIDING.items() if mine[key] != theirs[key]]
        if not named and self.plan_key != other.plan_key:
            return ["the plan"]
        return named

    def _deciding(self) -> Mapping[str, Any]:
        # Through JSON, so that what was read back equals what was written.
        fields = json.loads(self.model_dump_json(include=set(DECIDING)))
        # A movie may be moved: its name, shape and intensities tell it from others.
        source = str(fields["frames"].get("source", ""))
        fields["frames"]["source"] = PurePath(source).name
        return {key: fields[key] for key in DECIDING}

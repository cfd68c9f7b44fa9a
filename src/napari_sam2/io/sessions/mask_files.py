"""Masks that people gave as prompts, stored once each by what is in them.

`napari-sam2/masks/<sha256>` is an array of bytes, eight pixels in each, row by row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import zarr

from napari_sam2.errors import OutputError
from napari_sam2.io.ome_zarr.zarr_nodes import ArraySpec, create_array, node_path
from napari_sam2.io.storage import DAMAGED
from napari_sam2.prompts import MaskPrompt

MASKS = "masks"


class MaskFiles:
    """The masks of a run.

    Parameters
    ----------
    shown
        Returns the label image of a frame: where it shows a mask as it was drawn, one
        whose file is damaged is taken from there.
    """

    def __init__(
        self, run: zarr.Group, shown: Callable[[int], np.ndarray] | None = None
    ) -> None:
        self._run = run
        self._shown = shown
        self._known: set[str] = set()

    def put(self, prompt: MaskPrompt) -> str:
        """Store a mask unless it is there; return its name."""
        packed = np.packbits(prompt.mask)
        shape = list(prompt.mask.shape)
        name = _name(shape, packed)
        if name not in self._known:
            group = self._run.require_group(MASKS)
            if not self._is_whole(name):
                spec = ArraySpec(packed.shape, packed.shape, np.uint8, 0, ("byte",))
                array = create_array(group, name, spec)
                array[:] = packed
                # Comes last: a mask without a shape is not whole.
                array.attrs.put({"shape": shape})
            self._known.add(name)
        return name

    def get(self, name: str) -> MaskPrompt:
        """Return a stored mask.

        Raises
        ------
        OutputError
            If it is not there, or is not what was stored.
        """
        try:
            stored: Any = self._run[f"{MASKS}/{name}"]
            shape: Any = stored.attrs["shape"]
            packed = np.asarray(stored[:])
            if _name(shape, packed) == name:
                height, width = shape
                bits = np.unpackbits(packed, count=height * width)
                return MaskPrompt(bits.reshape(height, width).astype(bool))
            reason = "is not what was drawn"
        except DAMAGED:
            reason = "is missing or cannot be read"
        raise OutputError(
            f"{node_path(self._run, MASKS)}/{name}: a drawn mask {reason}; restore it "
            "from a copy, or move the folder 'session' beside 'masks' elsewhere: then "
            "the masklets open without what the session knew"
        )

    def restore(self, name: str, object_id: int, frame_index: int) -> MaskPrompt:
        """Return a mask that an object was given on a frame, also if it is damaged.

        Raises
        ------
        OutputError
            If it is damaged, and the labels do not show it as it was drawn.
        """
        try:
            return self.get(name)
        except OutputError:
            mask = self._mask_shown(object_id, frame_index)
            if mask is None or _name(list(mask.shape), np.packbits(mask)) != name:
                raise
            return MaskPrompt(mask)

    def _mask_shown(self, object_id: int, frame_index: int) -> np.ndarray | None:
        if self._shown is None:
            return None
        try:
            mask: np.ndarray = self._shown(frame_index) == object_id
        except (OSError, *DAMAGED):
            return None
        return mask

    def damaged(self) -> list[str]:
        """Return the names of masks that are not what was stored, or cannot be read."""
        group = self._run.get(MASKS)
        names = list(group) if isinstance(group, zarr.Group) else []
        return sorted(name for name in names if not self._is_whole(name))

    def _is_whole(self, name: str) -> bool:
        try:
            self.get(name)
        except OutputError:
            return False
        return True


def _name(shape: list[int], packed: np.ndarray) -> str:
    return hashlib.sha256(f"{shape}".encode() + packed.tobytes()).hexdigest()

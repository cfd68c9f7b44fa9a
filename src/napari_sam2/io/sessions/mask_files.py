"""Masks that people gave as prompts, stored once each by what is in them.

`napari-sam2/masks/<sha256>` is an array of bytes, eight pixels in each, row by row.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import zarr

from napari_sam2.errors import OutputError
from napari_sam2.io.ome_zarr.zarr_nodes import ArraySpec, create_array
from napari_sam2.prompts import MaskPrompt

MASKS = "masks"


class MaskFiles:
    """The masks of a run.

    Parameters
    ----------
    run
        Group of the run.
    """

    def __init__(self, run: zarr.Group) -> None:
        self._run = run
        self._known: set[str] = set()

    def put(self, prompt: MaskPrompt) -> str:
        """Store a mask unless it is there; return its name."""
        packed = np.packbits(prompt.mask)
        shape = list(prompt.mask.shape)
        name = hashlib.sha256(f"{shape}".encode() + packed.tobytes()).hexdigest()
        if name not in self._known:
            group = self._run.require_group(MASKS)
            stored = group.get(name)
            if stored is None or "shape" not in stored.attrs:
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
            If it is not there.
        """
        stored = self._run.get(f"{MASKS}/{name}")
        if not isinstance(stored, zarr.Array) or "shape" not in stored.attrs:
            raise OutputError(
                f"{self._run.store_path}/{MASKS}/{name}: a drawn mask is missing; the "
                "session is damaged: open the masklets without it"
            )
        shape: Any = stored.attrs["shape"]
        height, width = shape
        bits = np.unpackbits(np.asarray(stored[:]), count=height * width)
        return MaskPrompt(bits.reshape(height, width).astype(bool))

"""Weights of others in a layout that is known here. Needs no torch.

No hashes of theirs are known here, so none is downloaded by name: a person who has such
a file adds it to the own models (`napari_sam2.model.checkpoints.adding`).
"""

from __future__ import annotations

from dataclasses import dataclass

from napari_sam2.errors import ModelError
from napari_sam2.model.config import FrameFit


@dataclass(frozen=True, slots=True)
class Family:
    """Weights that have one layout and one input.

    Attributes
    ----------
    name
        What people type.
    layout
        Key of its `Sam2Config`.
    image_size
        Side in pixels of the square input.
    licence
        What its authors say of licences.
    published
        Where the files are.
    frame_fit
        How frames lie in the square.
    shown_equal
        What of its public code our answers were shown to equal, with weights by
        formula (`tools/foreign_references.py`).
    """

    name: str
    layout: str
    image_size: int
    licence: str
    published: str
    frame_fit: FrameFit = "squash"
    shown_equal: str = "masks of 3 frames"


_FAMILIES = (
    Family(
        "medsam2",
        "sam2.1_tiny",
        512,
        "code Apache-2.0; weights: see their page",
        "huggingface.co/wanglab/MedSAM2",
    ),
    Family(
        "hvit_t_cells",
        "sam2.1_tiny",
        1024,
        "code MIT; weights: nothing said",
        "the download of micro-sam 2",
        "pad",
        "masks of 3 padded frames, by Meta's predictor",
    ),
    Family(
        "edgetam",
        "edgetam",
        1024,
        "Apache-2.0",
        "github.com/facebookresearch/EdgeTAM, folder checkpoints",
    ),
    *(
        Family(
            f"efficienttam_{ending}",
            f"efficienttam_{ending.removesuffix('_512')}",
            512 if ending.endswith("512") else 1024,
            "Apache-2.0",
            "huggingface.co/yunyangx/efficient-track-anything",
        )
        for size in ("ti", "s")
        for ending in (size, f"{size}_1", f"{size}_2", f"{size}_512")
    ),
)

FAMILIES: dict[str, Family] = {one.name: one for one in _FAMILIES}
"""By name."""


def find_family(name: str) -> Family:
    """Return a family by its name.

    Raises
    ------
    ModelError
        If none is called so.
    """
    if name not in FAMILIES:
        raise ModelError(
            f"there is no family of models called {name!r}: known are "
            f"{', '.join(FAMILIES)}; of others say the input with --image-size"
        )
    return FAMILIES[name]

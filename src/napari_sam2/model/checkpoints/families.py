"""Weights of others in a layout of SAM 2, trained for another input. Needs no torch.

Nobody publishes their hashes, so none is downloaded by name: a person who has such a
file adds it to the own models (`napari_sam2.model.checkpoints.adding`).
"""

from __future__ import annotations

from dataclasses import dataclass

from napari_sam2.errors import ModelError


@dataclass(frozen=True, slots=True)
class Family:
    """Fine-tunes that have one layout and one input.

    Attributes
    ----------
    name
        What people type.
    layout
        Key of its `Sam2Config`.
    image_size
        Side in pixels of the square that frames are squashed into.
    licence
        What its authors say of licences.
    published
        Where the files are.
    """

    name: str
    layout: str
    image_size: int
    licence: str
    published: str


_FAMILIES = (
    Family(
        "medsam2",
        "sam2.1_tiny",
        512,
        "code Apache-2.0; weights: see their page",
        "huggingface.co/wanglab/MedSAM2",
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

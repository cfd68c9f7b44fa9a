"""Where the network can run: asked of torch, and so in the worker thread.

Nothing of napari or Qt; torch is imported inside the functions.
"""

from __future__ import annotations

from dataclasses import dataclass

from napari_sam2.errors import unusable_torch
from napari_sam2.model.triton_beside_opengl import load_triton_apart
from napari_sam2.ui.widgets.pace import bytes_text


@dataclass(frozen=True, slots=True)
class Device:
    """Something that the network can run on.

    Attributes
    ----------
    name
        What torch calls it, such as ``"cuda:0"``.
    """

    name: str
    title: str


USUAL_DEVICES = (Device("auto", "automatic"), Device("cpu", "processor"))
"""What is there before torch was asked."""


def found_devices() -> tuple[Device, ...]:
    """Return everything on this machine that torch can use, ``"auto"`` first.

    Raises
    ------
    ModelError
        If torch cannot be used.
    """
    import_torch()
    import torch

    cards = tuple(
        Device(f"cuda:{index}", _card_title(index))
        for index in range(torch.cuda.device_count())
    )
    if torch.backends.mps.is_available():
        cards = (*cards, Device("mps", "Apple graphics (mps)"))
    return (*USUAL_DEVICES, *cards)


def import_torch() -> None:
    """Import torch and torchvision, or say how to mend them.

    Raises
    ------
    ModelError
        If one of them is missing, or they are not of one build.
    """
    try:
        import torch  # noqa: F401

        load_triton_apart()
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError, OSError) as error:
        raise unusable_torch(error) from error


def _card_title(index: int) -> str:
    import torch

    card = torch.cuda.get_device_properties(index)
    return f"{card.name}, {bytes_text(card.total_memory)} (cuda:{index})"

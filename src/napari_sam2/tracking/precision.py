"""Where the network runs, and in which numbers."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from napari_sam2.errors import InputError

PRECISIONS = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


@dataclass(frozen=True, slots=True)
class Precision:
    """Numbers of the network's matrix products; masks are float32 always.

    Attributes
    ----------
    device
        Where it runs.
    name
        ``"fp32"``, ``"bf16"`` or ``"fp16"``.
    """

    device: torch.device
    name: str

    @property
    def dtype(self) -> torch.dtype:
        """What memories are cast to when they are used."""
        return PRECISIONS[self.name]

    def context(self) -> AbstractContextManager[object]:
        """Return the context that the network's four verbs run in."""
        if self.name == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)


DEVICE_TYPES = ("cuda", "mps", "cpu")
"""What the network was written for; others of torch lack some of its operations."""


def is_device(name: str | torch.device) -> bool:
    """Whether a network runs on devices of this name, perhaps not of this machine."""
    try:
        return torch.device(name).type in DEVICE_TYPES
    except RuntimeError:
        return False


def choose_device(device: str | torch.device) -> torch.device:
    """Return the device of this name; ``"auto"`` is CUDA, then MPS, then the CPU.

    Raises
    ------
    InputError
        If there is no such kind of device, or none on this machine.
    """
    has_mps = torch.backends.mps.is_available()
    has_cuda = torch.cuda.is_available()
    if device == "auto":
        return torch.device("cuda" if has_cuda else "mps" if has_mps else "cpu")
    if not is_device(device):
        raise InputError(f"device {device!r}: choose 'auto', 'cuda', 'mps' or 'cpu'")
    chosen = torch.device(device)
    count = {"cuda": torch.cuda.device_count() if has_cuda else 0, "mps": int(has_mps)}
    is_missing = (chosen.index or 0) >= count.get(chosen.type, 1)
    if is_missing:
        raise InputError(
            f"device {device!r}: this machine has none that torch {torch.__version__} "
            "can use: choose 'auto' or 'cpu'"
        )
    return chosen


def choose_precision(precision: str, device: torch.device) -> Precision:
    """Return the precision; ``"auto"`` is bf16 on CUDA cards that have it, else fp32.

    Raises
    ------
    InputError
        If there is no precision of this name.
    """
    if precision == "auto":
        has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return Precision(device, "bf16" if has_bf16 else "fp32")
    if precision not in PRECISIONS:
        raise InputError(
            f"precision {precision!r}: choose 'auto' or one of {', '.join(PRECISIONS)}"
        )
    return Precision(device, precision)

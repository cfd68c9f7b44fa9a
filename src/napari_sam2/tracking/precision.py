"""Where the network runs, in which numbers, on how many threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

import torch
from torch import nn

from napari_sam2.errors import InputError

FREE_ORDER = "fp32-fast"
"""Float32 that is summed in whatever order a CPU is quickest in."""

PRECISIONS = {
    "fp32": torch.float32,
    FREE_ORDER: torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}

SMALL_NETWORK, SMALL_IMAGE = 10_000_000, 512
"""Parameters and input size up to which a network is small."""

MOST_LANES = 8
"""Python runs one lane at a time between the calls of torch; each has its memory."""


@dataclass(frozen=True, slots=True)
class Precision:
    """Numbers of the network's matrix products; masks are float32 always.

    Attributes
    ----------
    name
        Key of `PRECISIONS`.
    threads
        Of torch, for one batch on a CPU; None leaves them as they are.
    lanes
        So many batches are computed side by side. That changes no bit.
    """

    device: torch.device
    name: str
    threads: int | None = None
    lanes: int = 1

    @property
    def dtype(self) -> torch.dtype:
        """What memories are cast to when they are used."""
        return PRECISIONS[self.name]

    def sharing_cores(self, model: nn.Module, image_size: int) -> Precision:
        """Return the same with the threads that suit a network of some input size.

        The calls of a small network are short: threads that share one of them wait for
        each other, and for whatever else the machine does. So each of its batches has
        one thread, and there are as many batches as torch has threads. Its results have
        the same bits, then, however many that are.
        """
        parameters = sum(tensor.numel() for tensor in model.parameters())
        is_small = parameters <= SMALL_NETWORK and image_size <= SMALL_IMAGE
        if self.device.type != "cpu" or not is_small:
            return self
        return replace(self, threads=1, lanes=min(torch.get_num_threads(), MOST_LANES))

    @contextmanager
    def context(self) -> Iterator[None]:
        """Return the context that the network's four verbs run in."""
        is_plain = self.dtype == torch.float32
        with (
            self.on_threads(),
            nullcontext()
            if is_plain
            else torch.autocast(self.device.type, dtype=self.dtype),
        ):
            yield

    @contextmanager
    def on_threads(self) -> Iterator[None]:
        """Let torch compute on so many threads, and on as many as before afterwards.

        Threads that begin inside have the number, too.
        """
        before = torch.get_num_threads()
        if self.threads in (None, before):
            yield
            return
        torch.set_num_threads(self.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


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
        If there is no precision of this name, or not on this device.
    """
    if precision == "auto":
        has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return Precision(device, "bf16" if has_bf16 else "fp32")
    if precision not in PRECISIONS:
        raise InputError(
            f"precision {precision!r}: choose 'auto' or one of {', '.join(PRECISIONS)}"
        )
    if precision == FREE_ORDER and device.type != "cpu":
        raise InputError(
            f"precision {precision!r} is for CPUs, not for {device}: choose 'auto', or "
            "device 'cpu'"
        )
    return Precision(device, precision)

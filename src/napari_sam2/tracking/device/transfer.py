"""Between host and device: few transfers, and nothing that lets CUDA wait.

A copy that blocks also waits for all that the device was asked for before. So what goes
up is pinned and not waited for; what comes down is asked for early, and waited for once
when it is wanted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

HOST = torch.device("cpu")


def to_device(values: Tensor | np.ndarray, device: torch.device) -> Tensor:
    """Send a tensor of the host to a device; it must not be written to afterwards."""
    tensor = torch.from_numpy(values) if isinstance(values, np.ndarray) else values
    if device.type == "cuda" and tensor.device == HOST:
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def together_to_device(
    arrays: Sequence[np.ndarray], device: torch.device
) -> list[Tensor]:
    """Send small arrays of one dtype in one transfer."""
    joined = to_device(np.concatenate([one.ravel() for one in arrays]), device)
    parts = torch.split(joined, [one.size for one in arrays])
    return [part.view(one.shape) for part, one in zip(parts, arrays, strict=True)]


class Arrival:
    """Tensors of one device that are on their way to the host.

    Parameters
    ----------
    tensors
        One or more.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        device = tensors[0].device
        is_cuda = device.type == "cuda"
        # Not waiting pins what it copies to.
        self._tensors = [tensor.to(HOST, non_blocking=is_cuda) for tensor in tensors]
        self._event = None
        if is_cuda:
            self._event = torch.cuda.current_stream(device).record_event()

    def arrays(self) -> list[np.ndarray]:
        """Wait for them."""
        if self._event is not None:
            self._event.synchronize()
        return [tensor.numpy() for tensor in self._tensors]

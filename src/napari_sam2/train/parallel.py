"""Several processes that train one model: equal weights, different crops.

On a busy machine two processes of one thread are far faster than one process of two
threads, whose every operation waits for the slower thread. Started by ``torchrun``,
which sets ``RANK`` and ``WORLD_SIZE``; alone otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed, nn


@contextmanager
def workers() -> Iterator[int]:
    """Join the processes that torchrun started; yield this one's rank."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield 0
        return
    distributed.init_process_group("gloo")
    try:
        yield distributed.get_rank()
    finally:
        distributed.destroy_process_group()


def rank() -> int:
    """Return this process's number; 0 writes logs and checkpoints."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def average_gradients(model: nn.Module) -> None:
    """Give all processes the mean gradient, in one exchange.

    A parameter that one process did not use counts as zero there.
    """
    if not distributed.is_initialized():
        return
    used = [p for p in model.parameters() if p.requires_grad]
    for parameter in used:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    gradients = [p.grad for p in used if p.grad is not None]
    joined = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(joined)
    joined /= distributed.get_world_size()
    parts = torch.split(joined, [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))

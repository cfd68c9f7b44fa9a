"""Several processes that train one model: equal weights, different crops.

Started by ``torchrun``, which sets ``RANK``, ``LOCAL_RANK`` and ``WORLD_SIZE``; alone
otherwise. With ``device = "cuda"`` each process has its own GPU; on a busy CPU two
processes of one thread are far faster than one of two threads, whose every operation
waits for the slower thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from napari_sam2.errors import InputError
from napari_sam2.model.sam2 import Sam2
from napari_sam2.train.data.batches import Batch
from napari_sam2.train.passes.dense import DenseHead
from napari_sam2.train.passes.passes import Scores, run_batch
from napari_sam2.train.recipe.loss_weights import LossWeights

PATIENCE = timedelta(hours=3)
"""How long processes wait for each other: the first one validates meanwhile."""


@contextmanager
def workers(device: str) -> Iterator[int]:
    """Join the processes that torchrun started; yield this one's rank.

    Parameters
    ----------
    device
        Of the recipe. ``"cuda"`` gives the process the GPU of its ``LOCAL_RANK``.

    Raises
    ------
    InputError
        If there are several processes, but not a GPU for each on this machine.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield 0
        return
    if torch.device(device).type == "cuda":
        torch.cuda.set_device(_own_gpu(device))
        distributed.init_process_group("nccl", timeout=PATIENCE)
    else:
        distributed.init_process_group("gloo", timeout=PATIENCE)
    try:
        yield distributed.get_rank()
    finally:
        distributed.destroy_process_group()


def _own_gpu(device: str) -> int:
    """Return the number of this process's GPU."""
    number, found = _local_rank(), torch.cuda.device_count()
    if torch.device(device).index is not None:
        raise InputError(
            f'device = "{device}": several processes cannot share a GPU; "cuda" gives '
            "each its own"
        )
    if number >= found:
        raise InputError(
            f'device = "{device}": process {number + 1} of this machine has no GPU of '
            f"its own, {found} found; start at most one process for each GPU"
        )
    return number


def _local_rank() -> int:
    return int(os.environ.get("LOCAL_RANK", "0"))


def rank() -> int:
    """Return this process's number; 0 writes logs and checkpoints."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def anyone(wishes: bool) -> bool:
    """Return whether any process wishes it: all of them get the same answer."""
    if not distributed.is_initialized():
        return wishes
    # "cuda" is the GPU that `workers` made this process's own.
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    count = torch.tensor(float(wishes), device=device)
    distributed.all_reduce(count)
    return bool(count > 0)


def own_device(wanted: str) -> torch.device:
    """Return the device of this process; ``"cuda"`` is another GPU for each."""
    if wanted == "cuda" and distributed.is_initialized():
        return torch.device("cuda", _local_rank())
    return torch.device(wanted)


class TrainingPass(nn.Module):
    """Model and head as one module, whose forward is a whole batch."""

    def __init__(self, model: Sam2, head: DenseHead) -> None:
        super().__init__()
        self.model, self.head = model, head
        self.scores: Scores | None = None

    def forward(self, batch: Batch, weights: LossWeights) -> torch.Tensor:
        """Return the loss; `scores` has the rest."""
        head = self.head if weights.dense > 0 else None
        self.scores = run_batch(self.model, batch, weights, head)
        return self.scores.loss


def shared(training_pass: TrainingPass) -> nn.Module:
    """Return the pass so that a backward gives all processes the mean gradient.

    A parameter that one process did not use counts as zero there.
    """
    if not distributed.is_initialized():
        return training_pass
    return DistributedDataParallel(
        training_pass, find_unused_parameters=True, broadcast_buffers=False
    )

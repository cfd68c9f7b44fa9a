"""How many bytes the memory bank takes for each object, anchor and frame.

``python benchmarks/memory_slopes.py`` fills banks with zeros, without a network, and
prints the slopes that `docs/memory.md` quotes: what one more object takes on the
device, one more anchor on the host, one more frame anywhere.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch

from napari_sam2.interfaces import StoredAnchor
from napari_sam2.model.config import CONFIGS, LOGIT_STRIDE, STRIDE
from napari_sam2.tracking.memory.bank import Anchor, LastTracked, MemoryBank
from napari_sam2.tracking.memory.slots import ROW_BLOCK
from napari_sam2.tracking.memory.tensors import STORAGE

MIB, KIB = 2**20, 2**10
CASES = (("sam2.1_tiny", 1024), ("sam2.1_tiny", 512), ("nano", 256))
FRAMES = 40


def filled(name: str, size: int, objects: int, anchors: int, frames: int) -> MemoryBank:
    """Return a bank of objects with anchors on the first frames, tracked after them."""
    config = CONFIGS[name]
    bank = MemoryBank(
        config,
        size,
        device=torch.device("cpu"),
        dtype=torch.float32,
        frame_count=None,
        max_anchors=2,
    )
    grid, side = size // STRIDE, size // LOGIT_STRIDE
    memory = torch.zeros(config.memory_dim, grid, grid, dtype=STORAGE)
    logits = np.zeros((side, side), np.float32)
    pointer = np.zeros(config.hidden_dim, np.float32)
    ids = range(1, objects + 1)
    for object_id in ids:
        for frame in range(anchors):
            stored = StoredAnchor(object_id, frame, logits.copy(), pointer, 1.0, 1.0)
            bank.add_anchor(Anchor(stored, memory.clone()))
    for frame in range(anchors, anchors + frames):
        bank.add_tracked(
            ids,
            LastTracked(frame, False),
            memory=memory.expand(objects, -1, -1, -1),
            pointers=torch.zeros(objects, config.hidden_dim),
            logits=np.zeros((objects, side, side), np.float32),
        )
    return bank


def device_bytes(bank: MemoryBank) -> int:
    """Return what lies on the model's device."""
    return bank.tensors.nbytes - bank.tensors.logits.nbytes


def main() -> None:
    """Print a row for each case."""
    print("| model, input | device, per object | host, per object | host, per anchor |")
    print("|---|---|---|---|")
    for name, size in CASES:
        fewer, more = (
            filled(name, size, rows, 1, FRAMES) for rows in (ROW_BLOCK, 2 * ROW_BLOCK)
        )
        on_device = (device_bytes(more) - device_bytes(fewer)) / ROW_BLOCK
        on_host = (more.tensors.logits.nbytes - fewer.tensors.logits.nbytes) / ROW_BLOCK
        one, five = (filled(name, size, 1, anchors, FRAMES) for anchors in (1, 5))
        per_anchor = (five.nbytes - one.nbytes) / 4
        lengths = [filled(name, size, 4, 1, frames).nbytes for frames in (20, 200, 400)]
        assert all(longer == shorter for shorter, longer in pairwise(lengths))
        print(
            f"| {name}, {size} | {on_device / MIB:.2f} MiB | {on_host / KIB:.0f} KiB "
            f"| {per_anchor / MIB:.3f} MiB |"
        )
    print("20, 200 and 400 frames: equal bytes")


if __name__ == "__main__":
    main()

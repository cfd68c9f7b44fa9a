"""The memory bank as named arrays and back, bit by bit.

Rings, pointers, masks last tracked and anchors with their memories; nothing has to be
computed again, and no frame read. bfloat16 travels as its 16 bits in uint16.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from napari_sam2.errors import InputError
from napari_sam2.interfaces import Arrays, StoredAnchor
from napari_sam2.tracking.memory.bank import Anchor, LastTracked, MemoryBank
from napari_sam2.tracking.memory.slots import EMPTY
from napari_sam2.tracking.memory.tensors import STORAGE


def take(bank: MemoryBank) -> dict[str, np.ndarray]:
    """Return everything that the bank remembers.

    Returns
    -------
    dict
        ``object_ids`` ``(objects,)``; ``spatial`` ``(objects, slots, M, h, w)`` uint16,
        ``pointers`` ``(objects, slots, C)`` float32 and ``logits`` ``(objects, h, w)``
        float32 with ``spatial_frames``, ``pointer_frames`` ``(objects, slots)`` int64
        and ``tracked`` ``(objects, 2)`` int64 (frame, is reverse); of all anchors
        ``anchor_keys`` ``(anchors, 2)`` int64 (object id, frame) in the order in which
        they were added, ``anchor_memories``, ``anchor_logits``, ``anchor_pointers`` and
        ``anchor_scores`` ``(anchors, 2)`` float64 (object score, predicted IoU).
        Where an object waited, also ``spatial_seen`` and ``pointer_seen``: the frames
        that those of the rings are.
        Where there are tiles, also their numbers: ``spatial_tiles`` ``(objects,
        slots)``, ``tracked_tiles`` ``(objects,)`` and ``anchor_tiles`` ``(anchors,)``.
    """
    object_ids = bank.table.object_ids
    rows = bank.table.rows(object_ids)
    index = torch.from_numpy(rows)
    last = [bank.last_tracked.get(object_id) for object_id in object_ids]
    return {
        "object_ids": np.asarray(object_ids, dtype=np.int64),
        "spatial": _bits(bank.tensors.spatial[index.to(bank.device)]),
        "pointers": bank.tensors.pointers[index.to(bank.device)].cpu().numpy(),
        "logits": bank.tensors.logits[index].numpy(),
        "spatial_frames": bank.spatial_ring.frames[rows],
        "pointer_frames": bank.pointer_ring.frames[rows],
        "tracked": np.asarray(
            [(EMPTY, 0) if t is None else (t.frame_index, t.reverse) for t in last],
            dtype=np.int64,
        ).reshape(-1, 2),
        **_anchor_arrays(bank, object_ids),
        **_waited(bank, rows),
        **({} if bank.layout.is_whole else _tiles(bank, object_ids)),
    }


def _waited(bank: MemoryBank, rows: np.ndarray) -> dict[str, np.ndarray]:
    rings = {"spatial_seen": bank.spatial_ring, "pointer_seen": bank.pointer_ring}
    if not any(ring.waited(rows) for ring in rings.values()):
        return {}
    return {name: ring.seen[rows] for name, ring in rings.items()}


def _tiles(bank: MemoryBank, object_ids: tuple[int, ...]) -> dict[str, np.ndarray]:
    last = [bank.last_tracked.get(object_id) for object_id in object_ids]
    anchors = [a.stored for i in object_ids for a in bank.anchors(i).values()]
    numbers = {
        "tracked_tiles": [0 if one is None else one.tile for one in last],
        "anchor_tiles": [one.tile for one in anchors],
    }
    return {
        "spatial_tiles": bank.spatial_ring.tiles[bank.table.rows(object_ids)],
        **{name: np.asarray(tiles, dtype=np.int64) for name, tiles in numbers.items()},
    }


def _anchor_arrays(
    bank: MemoryBank, object_ids: tuple[int, ...]
) -> dict[str, np.ndarray]:
    anchors = [a for i in object_ids for a in bank.anchors(i).values()]
    stored = [anchor.stored for anchor in anchors]
    logits, pointers = bank.tensors.logits, bank.tensors.pointers
    memory_shape = bank.tensors.spatial.shape[2:]
    count = len(anchors)
    memories = torch.empty((count, *memory_shape), dtype=STORAGE)
    for row, anchor in enumerate(anchors):
        memories[row] = anchor.memory
    return {
        "anchor_keys": np.asarray(
            [(s.object_id, s.frame_index) for s in stored], dtype=np.int64
        ).reshape(count, 2),
        "anchor_memories": _bits(memories),
        "anchor_logits": np.asarray(
            [s.logits for s in stored], dtype=np.float32
        ).reshape(count, *logits.shape[1:]),
        "anchor_pointers": np.asarray(
            [s.pointer for s in stored], dtype=np.float32
        ).reshape(count, pointers.shape[-1]),
        "anchor_scores": np.asarray(
            [(s.object_score, s.predicted_iou) for s in stored], dtype=np.float64
        ).reshape(count, 2),
    }


def restore(bank: MemoryBank, arrays: Arrays) -> None:
    """Make the bank remember what `take` returned, and nothing else.

    Raises
    ------
    InputError
        If the arrays were taken from a model or input size of other shapes.
    """
    expected, found = bank.tensors.spatial.shape[1:], arrays["spatial"].shape[1:]
    if tuple(expected) != tuple(found):
        raise InputError(
            f"the snapshot holds memories of shape {tuple(found)}, this model needs "
            f"{tuple(expected)}: use the model and --image-size that it was taken with"
        )
    bank.clear()
    object_ids = [int(object_id) for object_id in arrays["object_ids"]]
    rows = bank.add_objects(object_ids)
    index = torch.from_numpy(rows)
    on_device = index.to(bank.device)
    bank.tensors.spatial[on_device] = _floats(arrays["spatial"]).to(bank.device)
    bank.tensors.pointers[on_device] = _tensor(arrays["pointers"]).to(bank.device)
    bank.tensors.logits[index] = _tensor(arrays["logits"])
    bank.spatial_ring.frames[rows] = arrays["spatial_frames"]
    bank.pointer_ring.frames[rows] = arrays["pointer_frames"]
    for ring, name in ((bank.spatial_ring, "spatial"), (bank.pointer_ring, "pointer")):
        ring.seen[rows] = arrays.get(f"{name}_seen", ring.frames[rows])
    if "spatial_tiles" in arrays:
        bank.spatial_ring.tiles[rows] = arrays["spatial_tiles"]
    tiles = arrays.get("tracked_tiles", np.zeros_like(rows)).tolist()
    for object_id, (frame_index, reverse), tile in zip(
        object_ids, arrays["tracked"].tolist(), tiles, strict=True
    ):
        if frame_index != EMPTY:
            bank.last_tracked[object_id] = LastTracked(frame_index, bool(reverse), tile)
    _restore_anchors(bank, arrays)


def _restore_anchors(bank: MemoryBank, arrays: Arrays) -> None:
    memories = _floats(arrays["anchor_memories"])
    tiles = arrays.get("anchor_tiles", np.zeros(len(memories), np.int64)).tolist()
    for row, (object_id, frame_index) in enumerate(arrays["anchor_keys"].tolist()):
        object_score, predicted_iou = arrays["anchor_scores"][row].tolist()
        stored = StoredAnchor(
            object_id=object_id,
            frame_index=frame_index,
            logits=np.array(arrays["anchor_logits"][row], dtype=np.float32),
            pointer=np.array(arrays["anchor_pointers"][row], dtype=np.float32),
            object_score=object_score,
            predicted_iou=predicted_iou,
            tile=tiles[row],
        )
        bank.put_anchor(Anchor(stored, memories[row].clone()))


def _bits(tensor: Tensor) -> np.ndarray:
    """Return the bits of a bfloat16 tensor as uint16."""
    bits: np.ndarray = tensor.cpu().contiguous().view(torch.int16).numpy()
    return bits.view(np.uint16)


def _floats(bits: np.ndarray) -> Tensor:
    """Return the bfloat16 tensor of these bits."""
    return _tensor(bits.view(np.int16)).view(STORAGE)


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(array))  # a copy: zarr's arrays may be read-only

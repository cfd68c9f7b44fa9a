"""Which masks of many are kept: thresholds, edges of crops, and doubles."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_sam2.model.mask_decoder import CANDIDATES, RawMasks, stability
from napari_sam2.model.triton_beside_opengl import load_triton_apart
from napari_sam2.tiles import Window
from napari_sam2.tracking.automatic.grid import Crop
from napari_sam2.tracking.automatic.mask_options import MaskOptions


@dataclass(frozen=True, slots=True)
class Candidates:
    """Masks of one crop and what speaks for them, row by row.

    Attributes
    ----------
    masks
        ``(n, h, w)`` bool at the crop's resolution.
    boxes
        ``(n, 4)`` first column, first row, last column, last row, in the crop.
    predicted_iou, stability, presence
        ``(n,)``: the network's estimate, see `MaskOptions`, and the presence logit.
    points
        ``(n, 2)`` ``(y, x)`` in the crop that each mask answers.
    """

    masks: Tensor
    boxes: Tensor
    predicted_iou: Tensor
    stability: Tensor
    presence: Tensor
    points: Tensor

    def __len__(self) -> int:
        return len(self.masks)

    def select(self, rows: Tensor) -> Candidates:
        """Return some rows, by number or by a ``(n,)`` bool."""
        return Candidates(
            self.masks[rows],
            self.boxes[rows],
            self.predicted_iou[rows],
            self.stability[rows],
            self.presence[rows],
            self.points[rows],
        )


def candidates_of(
    raw: RawMasks,
    points: Tensor,
    shapes: tuple[tuple[int, int], tuple[int, int]],
    options: MaskOptions,
) -> Candidates:
    """Return the masks of a batch of points that pass the thresholds.

    Scores are looked at before masks are resized: that takes the most memory.

    Parameters
    ----------
    points
        ``(points, 2)`` ``(y, x)`` in the crop, on the device.
    shapes
        ``(h, w)`` of the crop, and of what the masks cover: the same, or more behind.
    """
    predicted_iou = raw.predicted_iou[:, 1:].flatten().float()
    presence = raw.object_score.float().repeat_interleave(CANDIDATES)
    is_good = predicted_iou > options.minimum_iou
    is_good &= presence >= options.minimum_presence
    low = raw.logits[:, 1:].flatten(0, 1)[is_good].float()
    (height, width), covered = shapes
    logits = F.interpolate(low[:, None], covered, mode="bilinear", align_corners=False)
    logits = logits[:, 0, :height, :width]
    found = Candidates(
        masks=logits > 0,
        boxes=boxes_of(logits > 0),
        predicted_iou=predicted_iou[is_good],
        stability=stability(logits, options.stability_offset),
        presence=presence[is_good],
        points=points.repeat_interleave(CANDIDATES, dim=0)[is_good],
    )
    area = found.masks.flatten(1).sum(1)
    is_object = (area > 0) & (area >= options.minimum_area)
    return found.select(is_object & (found.stability >= options.minimum_stability))


def boxes_of(masks: Tensor) -> Tensor:
    """Return ``(n, 4)`` first column, first row, last column, last row, inclusive.

    Zeros where a mask is empty.

    Parameters
    ----------
    masks
        ``(n, h, w)`` bool.
    """
    edges = []
    for side in (masks.any(dim=1), masks.any(dim=2)):
        number = side.long()
        first = number.argmax(dim=1)
        last = side.shape[1] - 1 - number.flip(1).argmax(dim=1)
        edges.append((first, torch.where(side.any(dim=1), last, 0)))
    (x0, x1), (y0, y1) = edges
    return torch.stack((x0, y0, x1, y1), dim=1)


def touches_crop_edge(
    boxes: Tensor, crop: Crop, covered: Window, margin: float
) -> Tensor:
    """Tell which boxes lie near an edge of the crop behind which there is more.

    Parameters
    ----------
    boxes
        ``(n, 4)`` as of `boxes_of`, in the crop.
    covered
        What of the frame is looked at.
    margin
        How near, in pixels of the frame.
    """
    crop_edges = boxes.new_tensor((crop.x0, crop.y0, crop.x1, crop.y1))
    y, x, height, width = covered
    frame_edges = boxes.new_tensor((x, y, x + width, y + height))
    placed = boxes + crop_edges[[0, 1, 0, 1]]
    near_crop = (placed - crop_edges).abs() <= margin
    near_frame = (placed - frame_edges).abs() <= margin
    return (near_crop & ~near_frame).any(dim=1)


def without_doubles(boxes: Tensor, scores: Tensor, overlap: float) -> Tensor:
    """Return the rows that stay, best first: of boxes that overlap more, the better.

    Parameters
    ----------
    boxes
        ``(n, 4)`` as of `boxes_of`.
    scores
        ``(n,)``; higher is better.
    overlap
        IoU of boxes above which two are the same.
    """
    load_triton_apart()
    from torchvision.ops import batched_nms

    kept: Tensor = batched_nms(
        boxes.float(), scores.float(), torch.zeros_like(boxes[:, 0]), overlap
    )
    return kept

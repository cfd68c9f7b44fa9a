"""Each step of automatic masks, and all of them together, as official SAM 2 has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("sam2", reason="the reference implementation is not installed")

from sam2.automatic_mask_generator import SAM2AutomaticMaskGenerator
from sam2.utils import amg
from tests.model.official import make_scene, smooth_images
from torchvision.ops import batched_nms

from napari_sam2.model.mask_decoder import stability
from napari_sam2.tracking.automatic.candidates import (
    boxes_of,
    touches_crop_edge,
    without_doubles,
)
from napari_sam2.tracking.automatic.generator import MaskGenerator
from napari_sam2.tracking.automatic.grid import Crop, crops_of, point_grid
from napari_sam2.tracking.automatic.mask_options import MaskOptions
from napari_sam2.tracking.automatic.masks import AutomaticMask
from napari_sam2.tracking.network import Network
from napari_sam2.tracking.precision import choose_device, choose_precision
from napari_sam2.tracking.preprocess import FrameGeometry

SHAPE = (120, 160)
SIZE = 256
OVERLAP = 512 / 1500
MARGIN = 20.0


@pytest.mark.parametrize("side", [1, 2, 7, 32])
def test_grid(side: int) -> None:
    ours = point_grid(side, SHAPE)
    official = amg.build_point_grid(side) * np.array(SHAPE[::-1])
    assert np.allclose(ours[:, ::-1], official, rtol=0, atol=1e-10)


@pytest.mark.parametrize("shape", [SHAPE, (256, 256), (101, 67), (40, 300)])
@pytest.mark.parametrize("tiers", [0, 1, 3])
def test_crop_boxes(shape: tuple[int, int], tiers: int) -> None:
    boxes, layers = amg.generate_crop_boxes(shape, tiers, OVERLAP)
    ours = crops_of(shape, tiers, OVERLAP)
    assert [[crop.x0, crop.y0, crop.x1, crop.y1] for crop in ours] == boxes
    assert [crop.tier for crop in ours] == layers


def test_stability_score() -> None:
    logits = 3 * smooth_images(12, 64, seed=1)[:, 0]
    ours = stability(logits, 1.0)
    official = amg.calculate_stability_score(logits, 0.0, 1.0)
    assert torch.equal(ours, official.float())
    assert ours.min() < 0.6 < ours.max()


def test_boxes_of_masks() -> None:
    masks = smooth_images(12, 64, seed=2)[:, 0] > 1.5
    masks[0] = False
    masks[1] = False
    masks[1, 5, 9] = True
    assert torch.equal(boxes_of(masks), amg.batched_mask_to_box(masks))


def test_crop_edges() -> None:
    crop = Crop(30, 40, 90, 120, 1)
    generator = torch.Generator().manual_seed(3)
    corners = torch.randint(0, 60, (300, 2, 2), generator=generator).sort(dim=1)
    boxes = corners.values.flatten(1)
    ours = touches_crop_edge(boxes, crop, (0, 0, *SHAPE), MARGIN)
    official = amg.is_box_near_crop_edge(
        boxes,
        [crop.x0, crop.y0, crop.x1, crop.y1],
        [0, 0, SHAPE[1], SHAPE[0]],
        atol=MARGIN,
    )
    assert torch.equal(ours, official)
    assert ours.any()
    assert not ours.all()


def test_doubles() -> None:
    generator = torch.Generator().manual_seed(4)
    corners = torch.randint(0, 40, (200, 2, 2), generator=generator).sort(dim=1)
    boxes = corners.values.flatten(1)
    scores = torch.rand(200, generator=generator)
    official = batched_nms(boxes.float(), scores, torch.zeros(200), 0.7)
    assert torch.equal(without_doubles(boxes, scores, 0.7), official)
    assert len(official) < 200


@dataclass(frozen=True)
class Both:
    """Both networks with equal weights, and a frame."""

    official: Any
    network: Network
    frame: np.ndarray


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    frame = smooth_images(1, SIZE, seed=6)[0, :, : SHAPE[0], : SHAPE[1]]
    pixels = (127 + 60 * frame).clamp(0, 255).byte().permute(1, 2, 0).numpy()
    geometry = FrameGeometry(SHAPE, SIZE)
    with torch.inference_mode():
        scene = make_scene("sam2.1_tiny", geometry.frame_tensor(pixels), 1)
        precision = choose_precision("fp32", choose_device("cpu"))
        yield Both(scene.official, Network(scene.ours, geometry, precision, 0), pixels)


def official_masks(both: Both, **options: Any) -> list[dict[str, Any]]:
    """Run the official generator on frames resized as the video predictor does."""
    generator = SAM2AutomaticMaskGenerator(
        both.official, points_per_side=8, stability_score_thresh=0.6, **options
    )

    sides = (SIZE // 4, SIZE // 8, SIZE // 16)
    generator.predictor._bb_feat_sizes = [(side, side) for side in sides]

    class Transforms(type(generator.predictor._transforms)):
        def __call__(self, image: np.ndarray) -> torch.Tensor:
            return FrameGeometry(image.shape[:2], SIZE).frame_tensor(image)[0]

    generator.predictor._transforms.__class__ = Transforms
    return generator.generate(both.frame)


def our_masks(both: Both, **options: Any) -> list[AutomaticMask]:
    chosen = MaskOptions(
        points_per_side=8,
        minimum_stability=0.6,
        unsure_visible=0.0,
        minimum_presence=-1024.0,
        minimum_area=0,
        maximum_share=1.0,
        crop_margin=MARGIN,
        crop_overlap=OVERLAP,
        **options,
    )
    return MaskGenerator(both.network, chosen).find(0, both.frame)


# The official transforms are scripted.
@pytest.mark.filterwarnings("ignore:.torch.jit.:FutureWarning")
@pytest.mark.filterwarnings("ignore:.torch.jit.:DeprecationWarning")
# Random weights answer with nearly the whole frame: without doubles little is left.
@pytest.mark.parametrize(("tiers", "overlap", "least"), [(0, 1.0, 20), (1, 0.7, 1)])
def test_whole_generator(
    both: Both,
    tiers: int,
    overlap: float,
    least: int,
    record_number: Callable[[str, float], None],
) -> None:
    official = official_masks(
        both,
        pred_iou_thresh=0.55,
        crop_n_layers=tiers,
        box_nms_thresh=overlap,
        crop_nms_thresh=overlap,
    )
    ours = our_masks(both, minimum_iou=0.55, crop_tiers=tiers, box_overlap=overlap)
    record_number("masks", len(ours))
    assert len(ours) == len(official) >= least
    by_place = {(round(y, 2), round(x, 2)): [] for y, x in (m.point for m in ours)}
    for mask in ours:
        by_place[round(mask.point[0], 2), round(mask.point[1], 2)].append(mask)
    worst = 0
    for expected in official:
        ((x, y),) = expected["point_coords"]
        differing = [
            np.count_nonzero(mask.on(SHAPE) != expected["segmentation"])
            for mask in by_place[round(y, 2), round(x, 2)]
        ]
        worst = max(worst, min(differing))
    record_number("pixels that differ", worst)
    assert worst <= 2
    ious = sorted(mask.predicted_iou for mask in ours)
    theirs = sorted(expected["predicted_iou"] for expected in official)
    assert np.allclose(ious, theirs, atol=1e-4)

"""Everything on a frame: a grid of points, candidates, and the best of them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from napari_sam2.generators import WithResult
from napari_sam2.model.prompt_encoder import PointLabel, PromptTensors
from napari_sam2.model.sam2 import ImageEmbedding
from napari_sam2.tiles import TileLayout
from napari_sam2.tracking.automatic.candidates import (
    Candidates,
    candidates_of,
    touches_crop_edge,
    without_doubles,
)
from napari_sam2.tracking.automatic.grid import (
    Crop,
    crops_of,
    crops_of_tiles,
    point_grid,
)
from napari_sam2.tracking.automatic.mask_options import LOOSEST, MaskOptions
from napari_sam2.tracking.automatic.masks import AutomaticMask, cleaned
from napari_sam2.tracking.batching import BatchRunner
from napari_sam2.tracking.memory.budget import bytes_per_point
from napari_sam2.tracking.network import Network, fitted
from napari_sam2.tracking.preprocess import FrameGeometry


@dataclass(frozen=True, slots=True)
class Points:
    """Points of a crop that are prompted one by one: ``(n, 2)`` ``(y, x)`` in it."""

    yx: np.ndarray

    def __len__(self) -> int:
        return len(self.yx)

    def part(self, start: int, stop: int) -> Points:
        """Return a slice of them."""
        return Points(self.yx[start:stop])


class MaskGenerator:
    """Finds masks of everything on frames, with the network of a predictor.

    Parameters
    ----------
    network
        Network and geometry of the movie; embeddings of frames, or of their tiles, are
        shared with whoever else uses it.
    """

    def __init__(self, network: Network, options: MaskOptions | None = None) -> None:
        self.network = network
        self.options = options or MaskOptions()

    def find(
        self, frame_index: int, frame: np.ndarray, occupied: np.ndarray | None = None
    ) -> list[AutomaticMask]:
        """Return the masks of a frame, of small crops first, then best first.

        Parameters
        ----------
        frame
            ``(Y, X, 3)`` uint8 RGB.
        occupied
            ``(Y, X)`` bool, where nobody asks; None to ask everywhere.

        Raises
        ------
        InputError
            If the frame does not fit the movie.
        ModelError
            If there is not memory enough for a single point.
        """
        return WithResult(self.steps(frame_index, frame, occupied)).to_end()

    def steps(
        self, frame_index: int, frame: np.ndarray, occupied: np.ndarray | None = None
    ) -> Generator[tuple[int, int], None, list[AutomaticMask]]:
        """Do what `find` does, part by part: yields how many of how many are done."""
        found: list[tuple[AutomaticMask, Crop]] = []
        crops = self._crops()
        for done, crop in enumerate(crops, 1):
            masks = self._in_crop(frame_index, frame, crop, occupied)
            found += [(mask, crop) for mask in masks]
            yield done, len(crops)
        return self._joined(found)

    def _crops(self) -> list[Crop]:
        options, layout = self.options, self.network.layout
        if not options.crop_tiers or self._is_tiled:
            return crops_of_tiles(layout)
        y, x, *shape = layout.covered
        crops = crops_of((shape[0], shape[1]), options.crop_tiers, options.crop_overlap)
        return [
            Crop(one.y0 + y, one.x0 + x, one.y1 + y, one.x1 + x, one.tier)
            for one in crops
        ]

    @property
    def _is_tiled(self) -> bool:
        return len(self.network.layout) > 1

    def _joined(self, found: list[tuple[AutomaticMask, Crop]]) -> list[AutomaticMask]:
        """Leave out what several crops have found; that of the smaller one stays."""
        if not found:
            return []
        masks = [mask for mask, _ in found]
        if self._is_tiled or self.options.crop_tiers:
            boxes = torch.tensor([_box(mask) for mask in masks])
            # Tiles are equals: of what two of them have found, the better one stays.
            scores = torch.tensor(
                [
                    self.options.rank(mask.predicted_iou, mask.stability)
                    if self._is_tiled
                    else 1 / crop.area
                    for mask, crop in found
                ]
            )
            kept = without_doubles(boxes, scores, self.options.box_overlap)
            masks = [masks[row] for row in kept.tolist()]
        clean = (cleaned(mask, self.options.minimum_area) for mask in masks)
        return [mask for mask in clean if mask is not None]

    @torch.inference_mode()
    def _in_crop(
        self,
        frame_index: int,
        frame: np.ndarray,
        crop: Crop,
        occupied: np.ndarray | None,
    ) -> list[AutomaticMask]:
        """Return the masks of one crop, best predicted IoU first."""
        network = self._network_of(crop)
        points = self._points(crop, occupied)
        if not len(points):
            return []
        shown = frame if crop.tier == 0 else crop.of(frame)
        embedding = network.embed(frame_index, shown, crop.tile)
        needed = bytes_per_point(
            network.model.config, network.geometry.image_size, crop.shape
        )
        precision = network.precision
        runner = BatchRunner(precision.device, needed, None, precision.lanes)
        compute = partial(self._asked, network, embedding, crop)
        masks: list[AutomaticMask] = []
        boxes = []
        with precision.on_threads():
            for candidates in runner.run(points, compute):
                kept = self._kept(candidates, crop)
                boxes.append(kept.boxes.cpu())
                masks += _pieces(kept, crop)
        if not masks or self._is_tiled:
            return masks
        scores = torch.tensor(
            [self.options.rank(mask.predicted_iou, mask.stability) for mask in masks]
        )
        rows = without_doubles(torch.cat(boxes), scores, self.options.box_overlap)
        return [masks[row] for row in rows.tolist()]

    def _network_of(self, crop: Crop) -> Network:
        """Return the network for a crop; the movie's own keeps embeddings."""
        if crop.tier == 0:
            return self.network
        model, precision = self.network.model, self.network.precision
        layout = fitted(TileLayout.whole(crop.shape), model.config)
        geometry = FrameGeometry(layout.tile_shape, self.network.geometry.image_size)
        return Network(model, geometry, precision, 0, layout=layout)

    def _points(self, crop: Crop, occupied: np.ndarray | None) -> Points:
        yx = self._grid(crop)
        if occupied is not None:
            rows, columns = yx.astype(np.int64).T
            yx = yx[~crop.of(occupied)[rows, columns]]
        return Points(yx)

    def _grid(self, crop: Crop) -> np.ndarray:
        """Return the points of a crop; of what tiles have in common, each in one."""
        per_side, layout = self.options.points_per_side, self.network.layout
        if not self._is_tiled:
            return point_grid(per_side, crop.shape)
        yx = point_grid(per_side, layout.tile_shape)
        places = (yx + np.asarray((crop.y0, crop.x0))).tolist()
        is_here = [layout.best((y, x, y, x)) == crop.tile for y, x in places]
        return yx[np.asarray(is_here) & (yx < crop.shape).all(axis=1)]

    def _asked(
        self, network: Network, embedding: ImageEmbedding, crop: Crop, points: Points
    ) -> Candidates:
        """Ask the network for each point by itself."""
        model, device = network.model, network.precision.device
        xy = torch.from_numpy(network.geometry.to_model(points.yx)).to(device)
        labels = torch.full((len(points), 1), int(PointLabel.POSITIVE), device=device)
        each = embedding.expand(len(points))
        with network.precision.context():
            features = model.condition(each, None)
            prompts = PromptTensors(xy[:, None], labels)
            raw = model.decode(features, each, prompts).raw
        assert raw is not None, "clicks have candidates"
        yx = torch.from_numpy(points.yx.astype(np.float32)).to(device)
        shapes = crop.shape, network.layout.tile_shape
        return candidates_of(raw, yx, shapes, self.options)

    def _kept(self, found: Candidates, crop: Crop) -> Candidates:
        """Leave out what the crop cuts, and what is too large for an object."""
        covered, margin = self.network.layout.covered, self.options.crop_margin
        is_cut = touches_crop_edge(found.boxes, crop, covered, margin)
        largest = self.options.maximum_share * covered[2] * covered[3]
        is_large = found.masks.flatten(1).sum(1) > largest
        return found.select(~(is_cut | is_large))


def loosest(options: MaskOptions) -> MaskOptions:
    """Return options that find all that `chosen` may choose from, on the same grid."""
    return replace(
        options,
        minimum_iou=LOOSEST["minimum_iou"],
        minimum_stability=LOOSEST["minimum_stability"],
        minimum_area=1,
        box_overlap=1.0,
        crop_tiers=0,
    )


def chosen(masks: Sequence[AutomaticMask], options: MaskOptions) -> list[AutomaticMask]:
    """Return what `MaskGenerator.find` finds with options, asking nobody.

    Parameters
    ----------
    masks
        Of the same frame, found with `loosest` options.
    options
        Thresholds at or above the loosest, without crops.
    """
    good = [
        mask
        for mask in masks
        if mask.predicted_iou > options.minimum_iou
        and mask.stability >= options.minimum_stability
        and mask.area >= options.minimum_area
    ]
    if not good:
        return []
    boxes = torch.tensor([_box(mask) for mask in good])
    scores = torch.tensor(
        [options.rank(mask.predicted_iou, mask.stability) for mask in good]
    )
    rows = without_doubles(boxes, scores, options.box_overlap)
    clean = (cleaned(good[row], options.minimum_area) for row in rows.tolist())
    return [mask for mask in clean if mask is not None]


def _pieces(found: Candidates, crop: Crop) -> list[AutomaticMask]:
    """Cut masks out of a crop, as small as they are."""
    masks = found.masks.cpu().numpy()
    scores = zip(
        found.predicted_iou.tolist(),
        found.stability.tolist(),
        found.presence.tolist(),
        found.points.tolist(),
        strict=True,
    )
    pieces = []
    for row, (iou, stable, presence, (y, x)) in enumerate(scores):
        x0, y0, x1, y1 = found.boxes[row].tolist()
        pieces.append(
            AutomaticMask(
                y0=crop.y0 + y0,
                x0=crop.x0 + x0,
                piece=masks[row, y0 : y1 + 1, x0 : x1 + 1].copy(),
                predicted_iou=iou,
                stability=stable,
                presence=presence,
                point=(crop.y0 + y, crop.x0 + x),
            )
        )
    return pieces


def _box(mask: AutomaticMask) -> tuple[int, int, int, int]:
    """Return first column, first row, last column, last row, as `boxes_of`."""
    height, width = mask.piece.shape
    return mask.x0, mask.y0, mask.x0 + width - 1, mask.y0 + height - 1

"""Worlds of cells whose tracker and generator do not err, for tests of discovery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import ndimage

from napari_sam2.generators import WithResult
from napari_sam2.interfaces import ABSENT_LOGIT
from napari_sam2.tiles import TileLayout
from napari_sam2.tracking.automatic.census import Discovered
from napari_sam2.tracking.automatic.discovery import Discovery
from napari_sam2.tracking.automatic.masklet_options import MaskletOptions
from napari_sam2.tracking.automatic.masks import AutomaticMask
from napari_sam2.tracking.division_evidence import unknown_evidence

SHAPE = (64, 64)
Place = tuple[int, int]
Cells = Mapping[str, Mapping[int, tuple[float, float, float]]]


def disc(y: float, x: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return np.hypot(rows - y, columns - x) < radius


def answer(ids: Sequence[int], masks: Sequence[np.ndarray], evidence: Any) -> Any:
    shown = np.array(masks, bool).reshape(-1, *SHAPE)
    logits = np.where(shown, 8.0, ABSENT_LOGIT).astype(np.float32)
    tiles = np.zeros(len(ids), np.int64)
    return SimpleNamespace(
        object_ids=tuple(ids), logits=logits, tiles=tiles, division=evidence
    )


class World:
    """Cells by name: centre and radius on each frame that shows them.

    Stands for movie, predictor and generator: the predictor follows the cell that a
    prompt covers, and what it is called before and after, by ``follows``.
    """

    def __init__(self, cells: Cells, frames: int, follows: Mapping[str, str]) -> None:
        self.layout = TileLayout.whole(SHAPE)
        self.cells, self.frame_count, self.frame_shape = cells, frames, SHAPE
        self.follows = follows
        self.known: dict[int, str] = {}
        self.network = SimpleNamespace(embeddings=None)
        self.finds: set[str] | None = None
        self.tells_parts = True
        self.blind: set[Place] = set()
        self.sisters: dict[Place, tuple[float, float]] = {}

    def read(self, frame_index: int) -> np.ndarray:
        return np.zeros((*SHAPE, 3), np.uint8)

    def mask(self, name: str, frame_index: int) -> np.ndarray:
        """Return a cell, or who it is called on that frame."""
        line = [name]
        while line[-1] in self.follows:
            line.append(self.follows[line[-1]])
        line += [one for one, other in self.follows.items() if other == name]
        for one in line:
            if frame_index in self.cells[one]:
                return disc(*self.cells[one][frame_index])
        return np.zeros(SHAPE, bool)

    def step(
        self,
        frame_index: int,
        frame: np.ndarray,
        prompts: Sequence[Any] = (),
        *,
        objects: Sequence[int] | None = None,
        reverse: bool = False,
    ) -> Any:
        for prompt in prompts:
            self.known[prompt.object_id] = max(
                (one for one in self.cells if frame_index in self.cells[one]),
                key=lambda one: np.count_nonzero(
                    disc(*self.cells[one][frame_index]) & prompt.mask.mask
                ),
            )
        ids = sorted(self.known if objects is None else objects)
        masks = [
            self.mask(self.known[one], frame_index)
            if (one, frame_index) not in self.blind
            else np.zeros(SHAPE, bool)
            for one in ids
        ]
        evidence = unknown_evidence(len(ids))
        for row, one in enumerate(ids):
            evidence.sister_iou[row] = 0.9 if (one, frame_index) in self.sisters else 0
            place = self.sisters.get((one, frame_index), (np.nan, np.nan))
            evidence.sister_y[row], evidence.sister_x[row] = place
            _, count = ndimage.label(masks[row])
            evidence.second_part[row] = float(count > 1 and self.tells_parts)
        return answer(ids, masks, evidence)

    def preview(self, frame_index: int, frame: np.ndarray, prompts: Any) -> Any:
        """Answer a click with the cell there."""
        (asked,) = prompts
        point = asked.points[0]
        masks = [
            disc(*one[frame_index]) for one in self.cells.values() if frame_index in one
        ]
        hit = [one for one in masks if one[round(point.y), round(point.x)]]
        return answer([asked.object_id], [*hit, np.zeros(SHAPE, bool)][:1], None)

    def remove(self, object_id: int) -> None:
        self.known.pop(object_id, None)

    def forget_recent(self, object_ids: Sequence[int]) -> None:
        """Nothing is remembered."""

    def find(
        self, frame_index: int, frame: np.ndarray, occupied: np.ndarray | None = None
    ) -> list[AutomaticMask]:
        masks = [
            disc(*places[frame_index])
            for name, places in self.cells.items()
            if frame_index in places and (self.finds is None or name in self.finds)
        ]
        return [AutomaticMask(0, 0, one, 0.9, 0.9, 5.0, (0.0, 0.0)) for one in masks]


def discover(world: World, **options: Any) -> Discovered:
    return run(Discovery(world, world, MaskletOptions(every=8, **options)), world)


def run(search: Discovery, world: World) -> Discovered:
    search._generator = world
    return WithResult(search.run()).to_end()


def still(y: float, x: float, frames: range, radius: float = 6) -> dict[int, Any]:
    return dict.fromkeys(frames, (y, x, radius))


def prompted(found: Discovered) -> list[dict[int, bool]]:
    """Return by object: prompted frames, and whether it is there."""
    return [
        {one.frame_index: not one.is_absence for one in state.prompts}
        for state in found.objects
    ]


def dividing() -> World:
    cells = {
        "mother": still(30, 30, range(12), 9),
        "left": still(30, 23, range(12, 24)),
        "right": still(30, 37, range(12, 24)),
    }
    return World(cells, 24, {"left": "mother", "right": "mother"})


class FollowsBoth(World):
    """A world whose tracker follows both daughters as one."""

    def mask(self, name: str, frame_index: int) -> np.ndarray:
        whole = super().mask(name, frame_index)
        if name == "mother" and frame_index >= 12:
            whole |= super().mask("left", frame_index)
            whole |= super().mask("right", frame_index)
        return whole


def both_followed() -> World:
    world = dividing()
    return FollowsBoth(world.cells, world.frame_count, world.follows)


class Covers(FollowsBoth):
    """A world whose tracker covers what lies between both daughters, too."""

    def mask(self, name: str, frame_index: int) -> np.ndarray:
        whole = super().mask(name, frame_index)
        if name == "mother" and frame_index >= 12:
            whole[24:37, 23:38] = True
        return whole


class Pictured(Covers):
    """A world of which there is a picture, and whose network sees one mask."""

    def read(self, frame_index: int) -> np.ndarray:
        shown = [one[frame_index] for one in self.cells.values() if frame_index in one]
        is_cell = np.any([disc(*place) for place in shown], axis=0)
        return np.repeat(np.where(is_cell, 200, 40)[..., None], 3, -1).astype(np.uint8)

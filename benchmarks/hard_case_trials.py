"""What was tried for hard cases and does not ship, for the tables of `hard_cases.py`.

    python benchmarks/hard_case_trials.py

Exclusivity: each pixel stays with one object before its mask is remembered. Finding
again: objects that are away are looked for among the automatic masks of a frame. The
command prints what that rests on: of the cells of a simulated movie, how many are told
from all others on a later frame by their pointer, and by their area, alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from nano_scores import stretched
from nano_tracking import Masks, Tracked, prompt

from napari_sam2.model.checkpoints.checkpoint import load_model
from napari_sam2.model.sam2 import Sam2
from napari_sam2.prompts import FramePrompt, MaskPrompt
from napari_sam2.synthetic import MovieConfig, SimulatedMovie
from napari_sam2.tracking import batching
from napari_sam2.tracking.automatic.generator import MaskGenerator
from napari_sam2.tracking.automatic.likeness import likeness, pointers_of
from napari_sam2.tracking.batching import BatchKind
from napari_sam2.tracking.hard_cases.cases import HardCases
from napari_sam2.tracking.postprocess import label_image
from napari_sam2.tracking.predictor import StreamingPredictor
from napari_sam2.tracking.step_result import Prediction

LONG_AWAY = 3
"""Frames on which an object was said to be away before it is looked for."""
EVERY = 3
"""It is looked for on each so-manyth frame."""
ALIKE = 0.8
"""Least `likeness`, of pointer and size, of what is taken for it."""
FREE = 0.8
"""Least share of a candidate that nobody else covers."""
SURE = 0.8
"""Least predicted IoU of a sight that tells how an object looks."""
COMPARED = ("nuclei", 12, 160), ("phase", 8, 256), ("bacteria", 16, 160)
GAPS, SEEDS, FIRST_SEED = (5, 20, 60), 4, 7000
LEAST_AREA = 40


class Exclusive(HardCases):
    """Leaves each pixel to the highest logit, then does what all cases do."""

    def answer(self, seen: Prediction) -> Prediction:
        """Return masks without a pixel in common."""
        if seen.batch.kind is BatchKind.TRACKED:
            logits = seen.heard.logits
            seen = seen.without((logits > 0) & (logits < logits.max(axis=0)))
        return super().answer(seen)


def track_exclusive(
    model: Sam2, frames: Sequence[np.ndarray], masks: Masks, image_size: int | None
) -> Iterator[Tracked]:
    """Follow objects all in one batch: who competes must be answered together."""
    usual, batching.CPU_BUDGET = batching.CPU_BUDGET, 2**40
    try:
        predictor = _predictor(model, frames, image_size)
        predictor.cases = Exclusive(
            (), predictor.bank, one_component=predictor.one_component
        )
        for index, frame in enumerate(frames):
            yield _tracked(predictor, index, frame, masks)
    finally:
        batching.CPU_BUDGET = usual


@dataclass
class Known:
    """How an object looks: pointers of its first and its last sure mask, its area."""

    first: np.ndarray
    last: np.ndarray
    area: int
    away: int = 0


@dataclass(frozen=True)
class Taken:
    """That a mask was taken for an object that was away."""

    frame_index: int
    object_id: int
    mask: np.ndarray


class FindingAgain:
    """Follows objects, and looks for those that are away.

    Parameters
    ----------
    model, frames, masks, image_size
        As for `nano_tracking.track`.
    only_new
        Whether what nobody follows and was there on the look before is left alone.
    """

    def __init__(
        self,
        model: Sam2,
        frames: Sequence[np.ndarray],
        masks: Masks,
        image_size: int | None,
        only_new: bool = False,
    ) -> None:
        self._frames, self._masks, self._only_new = frames, masks, only_new
        self._strangers: list[np.ndarray] = []
        self._predictor = _predictor(model, frames, image_size)
        self._generator = MaskGenerator(self._predictor.network)
        self._known: dict[int, Known] = {}
        self.taken: list[Taken] = []

    def __iter__(self) -> Iterator[Tracked]:
        for index, frame in enumerate(self._frames):
            seen = _tracked(self._predictor, index, frame, self._masks, self._note)
            least = 1 if self._only_new else LONG_AWAY
            away = [one for one, known in self._known.items() if known.away >= least]
            if away and index % EVERY == 0:
                self._look(index, frame, away, seen)
            yield seen

    def _note(self, index: int, frame: np.ndarray, labels: np.ndarray, step) -> None:
        """Note who is away, and now and then how the others look."""
        is_time = index % EVERY == 0
        for row, one in enumerate(step.object_ids):
            mask = labels == one
            if not mask.any() or step.object_score[row] <= 0:
                self._known[one].away += 1
                continue
            if one in self._known:
                self._known[one].away = 0
            if is_time and (index == 0 or step.predicted_iou[row] >= SURE):
                pointer = self._pointers(index, frame, [mask])[0]
                first = self._known[one].first if one in self._known else pointer
                self._known[one] = Known(first, pointer, int(mask.sum()))

    def _look(
        self, index: int, frame: np.ndarray, away: list[int], seen: Tracked
    ) -> None:
        """Take the most alike of what nobody covers, the best pair first."""
        labels = seen.labels
        found = [
            mask.on(labels.shape)
            for mask in self._generator.find(index, frame, labels > 0)
        ]
        free = [one for one in found if (labels[one] == 0).mean() >= FREE]
        if self._only_new:
            before, self._strangers = self._strangers, free
            free = [one for one in free if not any(_same(one, old) for old in before)]
        away = [one for one in away if self._known[one].away >= LONG_AWAY]
        if not free or not away:
            return
        pointers = self._pointers(index, frame, free)
        areas = [int(one.sum()) for one in free]
        alike = np.array([self._alike(one, pointers, areas) for one in away])
        prompts = []
        while alike.size and alike.max() >= ALIKE:
            row, column = np.unravel_index(int(alike.argmax()), alike.shape)
            self.taken.append(Taken(index, away[row], free[column]))
            mask = MaskPrompt(free[column])
            prompts.append(FramePrompt(away[row], index, mask=mask))
            shared = np.array([(one & free[column]).any() for one in free])
            alike[row], alike[:, shared] = 0, 0
            self._known[away[row]].away = 0
            labels[free[column] & (labels == 0)] = away[row]
        self._predictor.forget_recent([one.object_id for one in prompts])
        if prompts:
            self._predictor.step(index, frame, prompts, objects=())

    def _alike(
        self, object_id: int, pointers: np.ndarray, areas: list[int]
    ) -> np.ndarray:
        known = self._known[object_id]
        views = (known.first, known.last)
        each = [likeness((view, known.area), pointers, areas) for view in views]
        return np.max(each, axis=0)

    def _pointers(
        self, index: int, frame: np.ndarray, masks: Sequence[np.ndarray]
    ) -> np.ndarray:
        return pointers_of(self._predictor, index, frame, iter(masks))


def _same(mask: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether two masks, a few frames apart, may be one cell."""
    shared = np.count_nonzero(mask & other)
    return 4 * shared >= min(np.count_nonzero(mask), np.count_nonzero(other))


def _predictor(
    model: Sam2, frames: Sequence[np.ndarray], image_size: int | None
) -> StreamingPredictor:
    return StreamingPredictor(
        model,
        frame_shape=frames[0].shape[:2],
        frame_count=len(frames),
        device="cpu",
        image_size=image_size,
    )


def _tracked(
    predictor: StreamingPredictor,
    index: int,
    frame: np.ndarray,
    masks: Masks,
    note=lambda *_: None,
) -> Tracked:
    prompts = [prompt(one, mask, "mask") for one, mask in masks.items()]
    step = predictor.step(index, frame, prompts if index == 0 else ())
    labels = label_image(
        step.object_ids, step.logits, frame.shape[:2], np.dtype(np.uint16)
    )
    note(index, frame, labels, step)
    said = zip(step.object_ids, step.object_score > 0, strict=True)
    return Tracked(labels, {one: bool(here) for one, here in said})


def told_apart(model: Sam2, config: MovieConfig, gap: int) -> list[tuple[bool, bool]]:
    """Tell for each cell whether its pointer, and its area, find it again later."""
    movie = SimulatedMovie(config)
    frames = stretched(np.stack([movie.frame(index) for index in (0, gap)]))
    predictor = _predictor(model, frames, None)
    ids, pointers, areas = [], [], []
    for index, frame in zip((0, gap), frames, strict=True):
        labels = movie.labels(index)
        here, pixels = np.unique(labels[labels > 0], return_counts=True)
        ids.append(here[pixels >= LEAST_AREA].tolist())
        areas.append(pixels[pixels >= LEAST_AREA])
        masks = (labels == one for one in ids[-1])
        seen = pointers_of(predictor, index, frame, masks)
        pointers.append(seen / np.linalg.norm(seen, axis=1, keepdims=True))
    by_pointer = (pointers[0] @ pointers[1].T).argmax(axis=1)
    by_area = np.abs(np.log(areas[0][:, None] / areas[1])).argmin(axis=1)
    return [
        (ids[1][by_pointer[row]] == one, ids[1][by_area[row]] == one)
        for row, one in enumerate(ids[0])
        if one in ids[1]
    ]


def main() -> None:
    """Print a line for each kind of movie."""
    model = load_model("nano")
    print("| cells | frames later | pointer | area | by chance |\n" + "|---" * 5 + "|")
    for kind, count, side in COMPARED:
        for gap in GAPS:
            right = []
            for seed in range(SEEDS):
                config = MovieConfig(
                    kind,
                    frame_count=gap + 1,
                    frame_shape=(side, side),
                    cell_count=count,
                    seed=FIRST_SEED + seed,
                    division_rate=0.0,
                    open_border=False,
                )
                right += told_apart(model, config, gap)
            pointer, area = np.mean(right, axis=0)
            print(f"| {kind} | {gap} | {pointer:.2f} | {area:.2f} | {1 / count:.2f} |")


if __name__ == "__main__":
    main()

"""How long a run will still take: measured where it can be, else in proportion."""

from __future__ import annotations

from collections import deque

from napari_sam2.train.recipe.config import Stage, TrainConfig

REMEMBERED = 50
"""Latest steps of a kind whose mean is taken: other jobs come and go on a machine."""

OBJECT_COST = 12.0
"""What one object on one frame costs, in parts of one crop of 128 pixels over 100."""

StepKey = tuple[int, bool]


class StageClock:
    """Learns what a step of each stage costs, stills and clips apart.

    A stage that has not been reached yet is estimated from those that have, in
    proportion to the pixels and objects that its steps take.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        self._steps: dict[StepKey, deque[float]] = {}
        self._rest, self._noted = 0.0, 0

    def note(self, step: int, seconds: float, with_rest: float) -> None:
        """Take down what a step took, alone and with log, validation and checkpoint."""
        kept = self._steps.setdefault(self._key(step), deque(maxlen=REMEMBERED))
        kept.append(seconds)
        self._rest += with_rest - seconds
        self._noted += 1

    def seconds_per_step(self, step: int) -> float:
        """Return the mean of the latest steps like this one."""
        kept = self._steps[self._key(step)]
        return sum(kept) / len(kept)

    def seconds_left(self, step: int) -> float:
        """Return the time that all steps from this one on will take."""
        per_cost = self._seconds_per_cost()
        left = 0.0
        first = 0
        for index, stage in enumerate(self.config.stages):
            begin, end = max(step, first), first + stage.steps
            for still, count in _counts(stage, begin - first, end - first):
                kept = self._steps.get((index, still))
                each = (
                    sum(kept) / len(kept)
                    if kept
                    else per_cost * step_cost(stage, still)
                )
                left += count * each
            first = end
        rest = self._rest / max(self._noted, 1)
        return left + rest * max(0, self.config.total_steps - step)

    def _key(self, step: int) -> StepKey:
        for index, stage in enumerate(self.config.stages):
            if step < stage.steps:
                return index, is_still(stage, step)
            step -= stage.steps
        raise ValueError("a step beyond the last stage")

    def _seconds_per_cost(self) -> float:
        seconds = cost = 0.0
        for (index, still), kept in self._steps.items():
            seconds += sum(kept)
            cost += len(kept) * step_cost(self.config.stages[index], still)
        return seconds / cost if cost else 0.0


def is_still(stage: Stage, stage_step: int) -> bool:
    """Return whether a step of a stage is one of single images."""
    return stage.frames == 1 or (
        stage.image_every > 0 and stage_step % stage.image_every == 0
    )


def step_cost(stage: Stage, still: bool) -> float:
    """Return about what a step costs; 100 is one crop of 128 pixels."""
    in_clips = still and stage.frames > 1
    crops = stage.image_crops if in_clips else stage.crops
    objects = stage.image_objects if in_clips else stage.objects
    frames = 1 if still else stage.frames
    sizes = (stage.size, *stage.other_sizes)
    area = sum(size * size for size in sizes) / len(sizes) / 128**2
    decodes = 1.0
    if stage.corrections:
        corrected = min(frames, (1 + stage.corrections) / 2) / frames
        clicks = (1 + stage.correction_clicks) / 2
        decodes += stage.correcting * corrected * clicks
    return area * crops * frames * (100.0 + OBJECT_COST * objects * decodes)


def _counts(stage: Stage, begin: int, end: int) -> list[tuple[bool, int]]:
    """Return how many steps are stills, and how many clips, of a part of a stage."""
    if begin >= end:
        return []
    stills = sum(is_still(stage, step) for step in range(begin, end))
    counts = [(True, stills), (False, end - begin - stills)]
    return [(still, count) for still, count in counts if count]

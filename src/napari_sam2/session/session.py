"""The controller: runs a plan frame by frame and says what changed.

`Session.propagate` is the one loop of the program. The viewer runs it in a worker, the
command line in a ``for``, a cluster in a task; cancelling is closing the generator,
pausing is not asking for the next frame.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2.interfaces import (
    FrameResult,
    FrameSource,
    LabelStore,
    ObjectScores,
    Progress,
)
from napari_sam2.prompts import PromptedObject
from napari_sam2.session.merge import merge_labels
from napari_sam2.session.plan import COMMIT_INTERVAL, Plan, Sweep, sweeps, timelines
from napari_sam2.session.resolution import Resolution, resolution
from napari_sam2.tracking.postprocess import label_image

if TYPE_CHECKING:
    from napari_sam2.tracking.predictor import StreamingPredictor
    from napari_sam2.tracking.step_result import StepResult

LABEL_DTYPE = np.dtype(np.uint32)
"""Of composed label images; a store narrows them to its own type."""


@dataclass(frozen=True, slots=True)
class FrameDone:
    """What the generator yields after each frame.

    Attributes
    ----------
    frame_index
        The frame.
    object_ids
        Objects whose masks on it are new.
    written
        False while prompts are being resolved: nothing is on disk yet.
    position, total
        How many steps of the plan are done, of how many; a resumed run starts above 1.
    """

    frame_index: int
    object_ids: tuple[int, ...]
    written: bool
    position: int
    total: int


@dataclass(frozen=True, slots=True)
class Visit:
    """One step of a plan: a walk comes to a frame.

    Attributes
    ----------
    stage
        Number of the walk in the plan; 0 resolves the prompts.
    walk, frame_index
        Which walk, and where it is.
    is_first
        True on the walk's first frame: recent memory of other walks is forgotten.
    """

    stage: int
    walk: Resolution | Sweep
    frame_index: int
    is_first: bool

    @property
    def writes(self) -> bool:
        """Whether the visit's masks go to the store."""
        return isinstance(self.walk, Sweep)


class Session:
    """Prompts, a movie, a label store and a predictor, brought together.

    Parameters
    ----------
    source
        Frames; a prefetching one hides reading time.
    store
        Where masklets go.
    predictor
        A fresh `StreamingPredictor` of the movie's frame shape.
    objects
        The prompted objects.
    has_foreign_labels
        Whether the store may hold labels that no object of the session owns.
    """

    def __init__(
        self,
        source: FrameSource,
        store: LabelStore,
        predictor: StreamingPredictor,
        objects: Sequence[PromptedObject],
        *,
        has_foreign_labels: bool = False,
    ) -> None:
        self.source = source
        self.store = store
        self.predictor = predictor
        self.objects = tuple(objects)
        self.has_foreign_labels = has_foreign_labels

    def propagate(self, plan: Plan) -> Generator[FrameDone, None, None]:
        """Track all objects as planned, going on from the last commit of an equal plan.

        Closing the generator keeps what was written and commits it.

        Yields
        ------
        FrameDone
            After each frame.
        """
        visits = self._visits(plan)
        position = self._starting_point(plan, visits)
        try:
            while position < len(visits):
                visit = visits[position]
                object_ids = self._advance(visit, plan)
                position += 1
                if position % COMMIT_INTERVAL == 0:
                    self._commit(plan, visits, position)
                yield FrameDone(
                    visit.frame_index, object_ids, visit.writes, position, len(visits)
                )
        except GeneratorExit:
            self._commit(plan, visits, position)
            raise
        self.store.finish()

    def _visits(self, plan: Plan) -> list[Visit]:
        """Return all steps of the plan: prompts are resolved first, then swept."""
        lives = timelines(self.objects, self.source.frame_count)
        walks: list[Resolution | Sweep] = [resolution(self.objects)]
        walks += sweeps(lives, plan)
        return [
            Visit(stage, walk, frame_index, is_first=number == 0)
            for stage, walk in enumerate(walks)
            for number, frame_index in enumerate(walk.frames)
        ]

    def _starting_point(self, plan: Plan, visits: Sequence[Visit]) -> int:
        """Return the first visit to make; restore the memory bank if it is later."""
        recorded = self.store.read_progress()
        if recorded is None or recorded[0].plan_key != plan.key:
            return 0
        progress, snapshot = recorded
        self.predictor.restore(snapshot)
        reached = (progress.stage, progress.next_frame)
        places = [(visit.stage, visit.frame_index) for visit in visits]
        return places.index(reached) if reached in places else len(visits)

    def _commit(self, plan: Plan, visits: Sequence[Visit], position: int) -> None:
        """Make everything before ``position`` durable, with the memory to go on."""
        upcoming = visits[position] if position < len(visits) else None
        progress = Progress(
            stage=upcoming.stage if upcoming else visits[-1].stage,
            next_frame=upcoming.frame_index if upcoming else None,
            plan_key=plan.key,
        )
        self.store.commit(progress, self.predictor.snapshot())

    def _advance(self, visit: Visit, plan: Plan) -> tuple[int, ...]:
        """Read one frame, take one step; return the objects that it concerned."""
        walk, frame_index = visit.walk, visit.frame_index
        if visit.is_first:
            self.predictor.forget_recent()
        frame = self.source.read(frame_index)
        if isinstance(walk, Resolution):
            return self._resolve(walk, frame_index, frame)
        tracked = walk.objects_at(frame_index)
        step = self.predictor.step(
            frame_index, frame, objects=tracked, reverse=walk.reverse
        )
        self._write(step, plan)
        self._begin_gaps(frame_index, tracked)
        return tracked

    def _resolve(
        self, walk: Resolution, frame_index: int, frame: np.ndarray
    ) -> tuple[int, ...]:
        """Follow objects up to their corrections; turn prompts into anchors."""
        followed = walk.objects_at(frame_index)
        if followed:
            self.predictor.step(frame_index, frame, objects=followed)
        prompts = walk.prompts_at(frame_index)
        if not prompts:
            return ()
        step = self.predictor.step(frame_index, frame, prompts, objects=())
        for anchor in step.anchors:
            self.store.write_anchor(anchor)
        self.predictor.forget_recent(step.object_ids)
        return step.object_ids

    def _begin_gaps(self, frame_index: int, tracked: Sequence[int]) -> None:
        """Forget recent frames of objects that stand on an anchor: a new gap begins."""
        here = {
            thing.object_id
            for thing in self.objects
            if any(prompt.frame_index == frame_index for prompt in thing.prompts)
        }
        standing = [object_id for object_id in tracked if object_id in here]
        if standing:
            self.predictor.forget_recent(standing)

    def _write(self, step: StepResult, plan: Plan) -> None:
        """Compose the frame's label image from all its objects; store the new ones."""
        frame_index = step.frame_index
        rows = [
            row
            for row, object_id in enumerate(step.object_ids)
            if frame_index not in plan.locks.get(object_id, ())
        ]
        object_ids = tuple(step.object_ids[row] for row in rows)
        labels = self._label_image(frame_index, object_ids, step.logits[rows], plan)
        area = np.bincount(labels.ravel(), minlength=max(object_ids, default=0) + 1)
        scores = ObjectScores(
            object_score=step.object_score[rows],
            predicted_iou=step.predicted_iou[rows],
            stability=step.stability[rows],
            area=area[list(object_ids)].astype(np.int64),
        )
        self.store.write(
            FrameResult(frame_index, labels, object_ids, step.logits[rows], scores)
        )

    def _label_image(
        self,
        frame_index: int,
        object_ids: tuple[int, ...],
        logits: np.ndarray,
        plan: Plan,
    ) -> np.ndarray:
        """Let all objects of the frame compete for pixels, then merge foreign ones."""
        owned = [thing.object_id for thing in self.objects]
        others, other_logits = self.store.read_logits(frame_index, without=object_ids)
        rivals = [row for row, other in enumerate(others) if other in owned]
        if rivals:
            object_ids = object_ids + tuple(others[row] for row in rivals)
            logits = np.concatenate((logits, other_logits[rivals]))
        shape = self.store.frame_shape
        labels = label_image(object_ids, logits, shape, LABEL_DTYPE)
        if not self.has_foreign_labels:
            return labels
        existing = self.store.read_labels(frame_index)
        return merge_labels(existing, labels, owned, plan.merge)

"""Both ways through a gap: where they disagree, a person should look.

Nothing is written until somebody chooses one of them.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.interfaces import ABSENT_LOGIT, StoredAnchor
from napari_sam2.metrics.masks import region_similarity
from napari_sam2.session.planning.frame_set import NO_FRAMES, FrameSet
from napari_sam2.session.planning.plan import Direction, FrameRange, Gap, Plan, gaps
from napari_sam2.session.planning.resolution import make_anchors, resolution
from napari_sam2.session.session import NO_RUN, FrameDone, Session
from napari_sam2.tracking.postprocess import label_image

if TYPE_CHECKING:
    from napari_sam2.tracking.step_result import StepResult


@dataclass(frozen=True, slots=True)
class FrameCompared:
    """What the generator yields after each frame.

    Attributes
    ----------
    agreement
        J of the two masks, 0 … 1; None while only one of them is known.
    position, total
        How many steps are done, of how many.
    """

    frame_index: int
    agreement: float | None
    position: int
    total: int


class Comparison:
    """One gap of an object, tracked forward and backward.

    Parameters
    ----------
    session
        Movie, store, a fresh predictor, objects and anchors.
    frame_index
        Any frame of the gap, or the anchor before it.

    Attributes
    ----------
    gap
        Its frames and the two anchors that bound it.
    agreement
        J by frame, as far as it is known.

    Raises
    ------
    InputError
        If there are no two anchors around the frame, or nothing between them.
    """

    def __init__(self, session: Session, object_id: int, frame_index: int) -> None:
        self.session, self.object_id = session, object_id
        self.gap = _gap_between_anchors(session, object_id, frame_index)
        self.agreement: dict[int, float] = {}
        self._passes: dict[Direction, dict[int, _Kept]] = {
            Direction.FORWARD: {},
            Direction.BACKWARD: {},
        }
        self._new_anchors: tuple[StoredAnchor, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether both ways are known on all frames."""
        return len(self.agreement) == len(self.gap.frames)

    def run(self) -> Generator[FrameCompared, None, None]:
        """Track the gap both ways; write nothing.

        Yields
        ------
        FrameCompared
            After each frame: of the anchors, of the way forward, of the way back.
        """
        session, gap = self.session, self.gap
        session.predictor.forget_recent()
        walk = resolution(
            session.objects, {self.object_id: gap.bounds}, session.stored.keys()
        )
        total = len(walk.frames) + 2 * len(gap.frames)
        self._new_anchors = ()
        for position, frame_index in enumerate(walk.frames, 1):
            frame = session.source.read(frame_index)
            self._new_anchors += make_anchors(
                session.predictor, walk, frame_index, frame, session.stored
            )
            yield FrameCompared(frame_index, None, position, total)
        position = len(walk.frames)
        for way in (Direction.FORWARD, Direction.BACKWARD):
            for frame_index in self._track(way):
                position += 1
                agreement = self.agreement.get(frame_index)
                yield FrameCompared(frame_index, agreement, position, total)

    def mask(self, way: Direction, frame_index: int) -> np.ndarray:
        """Return the ``(Y, X)`` bool mask of one way on a frame.

        Raises
        ------
        KeyError
            If that way has not come there.
        """
        return self._mask(self._passes[way][frame_index].step())

    def keep(
        self, way: Direction, *, locks: Mapping[int, FrameSet] | None = None
    ) -> Generator[FrameDone, None, None]:
        """Write the masks of one way, except where they are locked.

        Raises
        ------
        ValueError
            If `run` has not come to its end.
        """
        if not self.is_done:
            raise ValueError("one way alone is known: run to the end first")
        session, frames = self.session, self.gap.frames
        everything = FrameRange(0, session.source.frame_count)
        plan = Plan(everything, locks=locks or {})
        composer = session.composer(plan)
        written = frames - plan.locks.get(self.object_id, NO_FRAMES)
        try:
            for anchor in self._new_anchors:
                session.store.write_anchor(anchor)
            for position, frame_index in enumerate(written, 1):
                step = self._passes[way][frame_index].step()
                result = composer.result(step, (self.object_id,))
                session.store.write(result)
                yield FrameDone(
                    frame_index,
                    result.object_ids,
                    written=True,
                    position=position,
                    total=len(written),
                    result=result,
                )
        finally:
            session.store.commit(NO_RUN, None)

    def _track(self, way: Direction) -> Generator[int, None, None]:
        """Track the gap one way; yield each frame when it is known."""
        session, kept = self.session, self._passes[way]
        is_reverse = way is Direction.BACKWARD
        frames = list(self.gap.frames)
        session.predictor.forget_recent()
        for frame_index in reversed(frames) if is_reverse else frames:
            frame = session.source.read(frame_index)
            step = session.predictor.step(
                frame_index, frame, objects=(self.object_id,), reverse=is_reverse
            )
            kept[frame_index] = _Kept.of(step)
            if is_reverse:
                self.agreement[frame_index] = self._agreement(frame_index)
            yield frame_index

    def _agreement(self, frame_index: int) -> float:
        forward, backward = (
            self._mask(kept[frame_index].step()) for kept in self._passes.values()
        )
        return region_similarity(forward, backward)

    def _mask(self, step: StepResult) -> np.ndarray:
        store = self.session.store
        windows, region = store.layout.windows(step.tiles), store.layout.region
        ids, logits, shape = step.object_ids, step.logits, store.frame_shape
        labels = label_image(ids, logits, shape, int, windows, region)
        mask: np.ndarray = labels > 0
        return mask


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """The step of one object, its logits cut to the surroundings of the mask.

    One pixel around the positive ones is all that decides which pixels of the movie
    the mask covers; the rest would take megabytes for each frame.
    """

    whole: StepResult
    shape: tuple[int, ...]
    region: tuple[slice, ...]

    @classmethod
    def of(cls, step: StepResult) -> _Kept:
        places = np.argwhere(step.logits > 0)
        low = np.maximum(places.min(axis=0) - 1, 0) if len(places) else np.zeros(3, int)
        high = places.max(axis=0) + 2 if len(places) else np.zeros(3, int)
        region = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        cut = replace(step, logits=step.logits[region].copy())
        return cls(cut, step.logits.shape, region)

    def step(self) -> StepResult:
        """Return the step with logits of full size."""
        logits = np.full(self.shape, ABSENT_LOGIT, np.float32)
        logits[self.region] = self.whole.logits
        return replace(self.whole, logits=logits)


def _gap_between_anchors(session: Session, object_id: int, frame_index: int) -> Gap:
    for life in session.lives:
        for gap in gaps(life) if life.object_id == object_id else ():
            is_inside = gap.first <= frame_index <= gap.last or gap.left == frame_index
            if is_inside and len(gap.bounds) == 2:
                return gap
    raise InputError(
        f"object {object_id} has no two prompts around frame {frame_index}: prompt it "
        "on both sides to compare the ways between them"
    )

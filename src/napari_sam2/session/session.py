"""The controller: runs a plan frame by frame and says what changed.

`Session.propagate` is the one loop of the program. The viewer runs it in a worker, the
command line in a ``for``, a cluster in a task; cancelling is closing the generator,
pausing is not asking for the next frame.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam2.errors import OutputError
from napari_sam2.interfaces import (
    FrameResult,
    FrameSource,
    LabelStore,
    Progress,
    ReadsAhead,
    StoredAnchor,
)
from napari_sam2.prompts import Place, PromptedObject
from napari_sam2.session.composition import Composer, Intensities
from napari_sam2.session.planning.plan import (
    COMMIT_INTERVAL,
    COMMIT_SECONDS,
    ObjectLife,
    Plan,
    bounding_anchors,
    object_lives,
)
from napari_sam2.session.planning.resolution import Resolution, make_anchors, resolution
from napari_sam2.session.planning.walks import Walk, walked_frames, walks

if TYPE_CHECKING:
    from napari_sam2.tracking.predictor import StreamingPredictor

NO_RUN = Progress(walk=0, next_frame=None, plan_key="")
"""What a finished repair or an edit leaves behind: no plan is resumed on it."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameDone:
    """What the generator yields after each frame.

    Attributes
    ----------
    object_ids
        Objects whose masks on it are new: prompted or replayed ones while prompts are
        being resolved, written ones afterwards.
    written
        False where no label is new: prompts are being resolved, or frames are passed
        on the way to those asked for.
    position, total
        How many steps of the plan are done, of how many; a resumed run starts above 1.
    result
        What was written; None where nothing was.
    """

    frame_index: int
    object_ids: tuple[int, ...]
    written: bool
    position: int
    total: int
    result: FrameResult | None = None


@dataclass(frozen=True, slots=True)
class WalkStep:
    """One step of a plan: a walk comes to a frame.

    Attributes
    ----------
    number
        Number of the walk in the plan; 0 resolves the prompts.
    walk, frame_index
        Which walk, and where it is.
    is_first
        True on the walk's first frame: recent memory of other walks is forgotten.
    """

    number: int
    walk: Resolution | Walk
    frame_index: int
    is_first: bool


class Session:
    """Prompts, a movie, a label store and a predictor, brought together.

    Parameters
    ----------
    source
        Frames; a prefetching one hides reading time.
    predictor
        A fresh `StreamingPredictor` of the movie's frame shape. With its two anchors
        for each object and frame, a repair of a gap gives what a whole run gives.
    objects
        All objects, also those that a repair does not track: they compete for pixels.
    anchors
        What people saw on anchors, such as `LabelStore.read_anchors` returns, as far
        as it still belongs to the prompts: the caller leaves out anchors whose prompt
        has changed. They are replayed; other prompts are resolved. Those of frames
        without a prompt are passed over.
    has_foreign_labels
        Whether the store may hold labels that no object of the session owns.
    intensities
        What masks are measured by; None if they are not.

    Attributes
    ----------
    lives
        When each object exists.
    stored
        Anchors that are replayed, by object and frame.
    mended
        What people should be told at the end: what of the run was damaged when it was
        done, and computed again; None if nothing was.

    Raises
    ------
    InputError
        If a mother is prompted on or after the frame on which a daughter begins.
    """

    def __init__(  # noqa: PLR0913 - the parts that one movie is tracked with
        self,
        source: FrameSource,
        store: LabelStore,
        predictor: StreamingPredictor,
        objects: Sequence[PromptedObject],
        *,
        anchors: Sequence[StoredAnchor] = (),
        has_foreign_labels: bool = False,
        intensities: Intensities | None = None,
    ) -> None:
        self.source = source
        self.store = store
        self.predictor = predictor
        self.objects = tuple(objects)
        self.has_foreign_labels = has_foreign_labels
        self.intensities = intensities
        self.mended: str | None = None
        self.lives = object_lives(self.objects, source.frame_count)
        self._anchored = {
            (life.object_id, frame) for life in self.lives for frame in life.anchors
        }
        places = {(anchor.object_id, anchor.frame_index): anchor for anchor in anchors}
        self.stored = {
            place: anchor for place, anchor in places.items() if place in self._anchored
        }

    def propagate(self, plan: Plan) -> Generator[FrameDone, None, None]:
        """Track all objects as planned, going on from the last commit of an equal plan.

        Closing the generator keeps what was written and commits it. While nobody asks
        for the next frame, nothing is held but the session's own predictor.

        Yields
        ------
        FrameDone
            After each frame.
        """
        steps = self.steps(plan)
        nothing = self.predictor.snapshot()
        yield from self._follow(plan, steps)
        if not plan.is_whole:
            self.store.commit(NO_RUN, None)
            return
        if _is_checked(plan):
            self.mended = self.store.mend()
            if self.mended is not None:
                self.predictor.restore(nothing)
                yield from self._follow(plan, steps)
                if again := self.store.mend():
                    raise damaged_again(again)
        self.store.finish()

    def make(self, plan: Plan, steps: Sequence[WalkStep]) -> None:
        """Make some steps of a plan, in order, and commit nothing.

        For who brings the predictor's memory from step to step, and keeps it.
        """
        composer = self.composer(plan)
        for position in range(len(steps)):
            self._advance(steps, position, composer)

    def _follow(
        self, plan: Plan, steps: Sequence[WalkStep]
    ) -> Generator[FrameDone, None, None]:
        """Take the steps that are left, and commit now and then."""
        composer = self.composer(plan)
        position = self._starting_point(plan, steps)
        committed = time.monotonic()
        try:
            while position < len(steps):
                step = steps[position]
                object_ids, result = self._advance(steps, position, composer)
                position += 1
                is_end = position == len(steps) and _is_checked(plan)
                is_long_ago = time.monotonic() - committed > COMMIT_SECONDS
                if position % COMMIT_INTERVAL == 0 or is_long_ago or is_end:
                    self._commit(plan, steps, position)
                    committed = time.monotonic()
                yield FrameDone(
                    step.frame_index,
                    object_ids,
                    written=result is not None,
                    position=position,
                    total=len(steps),
                    result=result,
                )
        except GeneratorExit:
            self._commit(plan, steps, position)
            raise

    # --- Before the first frame

    def steps(self, plan: Plan) -> list[WalkStep]:
        """Return all steps of the plan."""
        return steps_of(plan, self.objects, self.lives, self.stored.keys())

    def composer(self, plan: Plan) -> Composer:
        """Return who makes the label images of a plan."""
        return Composer(
            self.store,
            self.objects,
            self.lives,
            plan,
            has_foreign_labels=self.has_foreign_labels,
            intensities=self.intensities,
            painter=self.predictor.label_image,
        )

    def _starting_point(self, plan: Plan, steps: Sequence[WalkStep]) -> int:
        """Return the first step to make; restore the memory bank if it is later."""
        recorded = self.store.read_progress() if plan.key else None
        if recorded is None or recorded[0].plan_key != plan.key:
            return 0
        progress, snapshot = recorded
        if progress.next_frame is None:
            return len(steps)
        reached = (progress.walk, progress.next_frame)
        places = [(step.number, step.frame_index) for step in steps]
        if reached not in places:  # more anchors are stored by now: another walk
            return 0
        self.predictor.restore(snapshot)
        return places.index(reached)

    # --- Frame by frame

    def _advance(
        self, steps: Sequence[WalkStep], position: int, composer: Composer
    ) -> tuple[tuple[int, ...], FrameResult | None]:
        """Read one frame, take one step.

        Returns
        -------
        tuple
            The objects that it concerned, and what was written, if anything was.
        """
        step = steps[position]
        walk, frame_index = step.walk, step.frame_index
        if step.is_first:
            self.predictor.forget_recent()
        frame = self.source.read(frame_index)
        self._expect(steps[position + 1 : position + 2])
        if isinstance(walk, Resolution):
            made = make_anchors(self.predictor, walk, frame_index, frame, self.stored)
            for anchor in made:
                self.store.write_anchor(anchor)
            made_of = (anchor.object_id for anchor in made)
            return (*walk.replayed_at(frame_index), *made_of), None
        tracked = walk.objects_at(frame_index)
        anchored = {
            object_id
            for object_id in tracked
            if (object_id, frame_index) in self._anchored
        }
        self._forget(set(walk.beginning_at(frame_index)) - anchored)
        predicted = self.predictor.step(
            frame_index, frame, objects=tracked, reverse=walk.reverse
        )
        written = walk.written_at(frame_index)
        result = composer.result(predicted, written) if written else None
        if result is not None:
            self.store.write(result)
        self._forget(anchored)
        return written, result

    def _expect(self, following: Sequence[WalkStep]) -> None:
        """Tell the predictor which frame is next, if it has been read."""
        if not isinstance(self.source, ReadsAhead):
            return
        for step in following:
            frame = self.source.peek(step.frame_index)
            if frame is not None:
                self.predictor.expect(step.frame_index, frame)

    def _forget(self, object_ids: set[int]) -> None:
        """Forget the recent frames of objects that begin a gap."""
        if object_ids:
            self.predictor.forget_recent(sorted(object_ids))

    # --- Between frames

    def _commit(self, plan: Plan, steps: Sequence[WalkStep], position: int) -> None:
        """Make everything before ``position`` durable, with the memory to go on."""
        upcoming = steps[position] if position < len(steps) else None
        progress = Progress(
            walk=(upcoming or steps[-1]).number,
            next_frame=upcoming.frame_index if upcoming else None,
            plan_key=plan.key,
        )
        self.store.commit(progress, self.predictor.snapshot() if plan.key else None)


def steps_of(
    plan: Plan,
    objects: Sequence[PromptedObject],
    lives: Sequence[ObjectLife],
    stored: Collection[Place] = (),
) -> list[WalkStep]:
    """Return all steps of a plan: prompts are resolved first.

    Parameters
    ----------
    stored
        Places whose anchors are known.
    """
    planned = walks(lives, plan)
    needed = {
        life.object_id: bounding_anchors(life, walked_frames(planned, life.object_id))
        for life in lives
    }
    in_order: list[Resolution | Walk] = [resolution(objects, needed, stored), *planned]
    return [
        WalkStep(number, walk, frame_index, is_first=frame_index == walk.frames[0])
        for number, walk in enumerate(in_order)
        for frame_index in walk.frames
    ]


def damaged_again(what: str) -> OutputError:
    """Return the error for masklets that are damaged once more in one run."""
    return OutputError(
        f"{what}: the disk does not keep what is written; check it, and go on with "
        "--resume, or track into another folder"
    )


def _is_checked(plan: Plan) -> bool:
    """Whether what was written is looked at, all of it, before the plan is done."""
    return plan.is_whole and bool(plan.key)

"""What follows from an edit of the book: frames are answered, objects taken out.

Runs in the worker. What somebody looks at comes first, and is shown before it is
written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2.engine.edits.steps import Steps
from napari_sam2.engine.events import (
    Event,
    FrameChanged,
    FramesChanged,
    Remark,
    Request,
    Scored,
)
from napari_sam2.engine.workspace.open_masklets import Masklets, Movie
from napari_sam2.engine.workspace.prompt_answers import SeenMask
from napari_sam2.engine.workspace.workspace import Workspace
from napari_sam2.interfaces import FrameResult, StoredAnchor
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.prompts import FramePrompt, Place
from napari_sam2.session.book.changes import is_same_prompt, vanished
from napari_sam2.session.book.prompt_book import Edit
from napari_sam2.session.book.state import BookState
from napari_sam2.session.composition import Composer
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.scores.tables import ScoreRow
from napari_sam2.session.session import NO_RUN
from napari_sam2.tiles import TileLayout

if TYPE_CHECKING:
    from napari_sam2.tracking.step_result import StepResult


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The answer to the prompts of a frame.

    Attributes
    ----------
    prompts, anchors
        What was answered, and what the person sees, by object.
    """

    result: FrameResult
    prompts: tuple[FramePrompt, ...]
    anchors: tuple[StoredAnchor, ...]


class FrameEdits:
    """Answers, clears and writes frames."""

    def __init__(self, masklets: Masklets, movie: Movie, book: BookState) -> None:
        self._masklets, self._movie, self._book = masklets, movie, book
        self._composer = Composer.for_book(
            masklets.store, masklets.store.frame_count, book, movie.source.intensities
        )

    # --- Prompts

    def unanswered(self) -> list[int]:
        """Return the frames that have prompts without answers, ascending."""
        return sorted(
            {
                prompt.frame_index
                for state in self._book.objects
                for prompt in state.prompts
                if self._is_unanswered(prompt)
            }
        )

    def answer(self, frame_index: int) -> Answer | None:
        """Answer the prompts of a frame that have no answer yet; write nothing."""
        prompts = tuple(
            prompt
            for state in self._book.objects
            if (prompt := state.prompt_at(frame_index)) is not None
            and self._is_unanswered(prompt)
        )
        if not prompts:
            return None
        movie = self._movie
        places = [(prompt.object_id, frame_index) for prompt in prompts]
        seen = self._seen_before(frame_index, places)
        for place, mask in seen.items():
            self._masklets.seen.setdefault(place, mask)
        movie.answers.forget(places)
        others = {
            place: anchor
            for place, anchor in self._masklets.anchors.items()
            if place not in places
        }
        step = movie.answers.answer(
            movie.source,
            prompts,
            others,
            {owner: mask for (owner, _), mask in seen.items()},
        )
        result = self._composer.result(step, step.object_ids)
        return Answer(result, prompts, step.anchors)

    def preview(self, prompt: FramePrompt) -> StepResult:
        """Return the mask that a prompt would give; write nothing."""
        movie, place = self._movie, (prompt.object_id, prompt.frame_index)
        seen = self._seen_before(prompt.frame_index, [place])
        others = {
            at: anchor for at, anchor in self._masklets.anchors.items() if at != place
        }
        return movie.answers.answer(
            movie.source,
            (prompt,),
            others,
            {owner: mask for (owner, _), mask in seen.items()},
        )

    def _is_unanswered(self, prompt: FramePrompt) -> bool:
        place = (prompt.object_id, prompt.frame_index)
        return not is_same_prompt(self._masklets.said.get(place), prompt)

    def _seen_before(
        self, frame_index: int, places: Sequence[Place]
    ) -> dict[Place, SeenMask]:
        """Return the masks that were there before the first prompt at each place."""
        masklets = self._masklets
        seen = {at: masklets.seen[at] for at in places if at in masklets.seen}
        unknown = {
            object_id
            for object_id, at in places
            if (object_id, at) not in masklets.said
        }
        if unknown & set(masklets.store.object_ids):
            for object_id, mask in _masks_on(masklets.store, frame_index).items():
                if object_id in unknown:
                    seen.setdefault((object_id, frame_index), mask)
        return seen

    # --- What is taken out, or put back

    def silenced(self, frame_index: int) -> FrameResult | None:
        """Return a frame without the answers to prompts that were taken back.

        What was seen there before comes back, until the gap is tracked again.
        """
        gone = [
            object_id
            for object_id, at in self._masklets.said
            if at == frame_index
            and object_id in self._book
            and self._book[object_id].prompt_at(at) is None
        ]
        if not gone:
            return None
        seen = {
            object_id: self._masklets.seen.get((object_id, frame_index))
            for object_id in gone
            if self._composer.lives_on(frame_index, object_id)
        }
        absent = SeenMask(self._composer.absent_logits())
        self._movie.answers.forget((object_id, frame_index) for object_id in gone)
        self._masklets.store.remove_anchors(gone, [frame_index])
        for object_id in gone:
            self._masklets.forget((object_id, frame_index))
        return self._with_masks(
            frame_index, {one: seen.get(one) or absent for one in gone}
        )

    def _with_masks(
        self, frame_index: int, masks: Mapping[int, SeenMask]
    ) -> FrameResult:
        """Return a frame on which objects have other masks, and keep their scores."""
        return self._composer.with_logits(
            frame_index,
            {object_id: mask.logits for object_id, mask in masks.items()},
            {object_id: mask.tile for object_id, mask in masks.items()},
        )

    def vanished(self, edit: Edit) -> Mapping[int, FrameSet]:
        """Return the frames by object on which an edit lets no mask stay."""
        store = self._masklets.store
        gone = vanished(edit.before, edit.after, store.frame_count)
        known = set(store.object_ids)
        return {
            object_id: frames
            for object_id, frames in gone.items()
            if object_id in known
        }

    def left_over(self, gone: Mapping[int, FrameSet]) -> dict[int, tuple[int, ...]]:
        """Return objects by frame that still have a mask where they vanished.

        Answers to the prompts of objects that were removed are forgotten.
        """
        if not gone:
            return {}
        store = self._masklets.store
        for place in [at for at in self._masklets.said if at[0] not in self._book]:
            self._movie.answers.forget([place])
            store.remove_anchors([place[0]], [place[1]])
            self._masklets.forget(place)
        found = frames_of(store, list(gone))
        left = {
            frame: tuple(object_id for object_id in ids if frame in gone[object_id])
            for frame, ids in found.items()
        }
        return {frame: ids for frame, ids in left.items() if ids}

    def without(self, frame_index: int, object_ids: tuple[int, ...]) -> FrameResult:
        """Return a frame on which some objects are absent."""
        return self._composer.without(frame_index, object_ids)

    # --- One object takes over another

    def take_over(self, kept: int, gone: int) -> None:
        """Let the answers to an object's prompts be those of another one."""
        masklets = self._masklets
        self._make_room([kept])
        for place in [at for at in masklets.said if at[0] == gone]:
            frame, anchor = place[1], masklets.anchors[place]
            prompt = self._book[kept].prompt_at(frame)
            if prompt is not None and (kept, frame) not in masklets.said:
                moved = replace(anchor, object_id=kept)
                masklets.note(prompt, moved)
                masklets.store.write_anchor(moved)
            self._movie.answers.forget([place])
            masklets.store.remove_anchors([gone], [frame])
            masklets.forget(place)

    def merged(self, frame_index: int, kept: int, gone: int) -> FrameResult:
        """Return a frame on which an object has the masks of two."""
        store = self._masklets.store
        masks = _masks_on(store, frame_index)
        absent = SeenMask(self._composer.absent_logits())
        one, other = masks.get(kept, absent), masks.get(gone, absent)
        is_settled = frame_index in self._book[kept].locked or (
            self._book[kept].prompt_at(frame_index) is not None and kept in masks
        )
        joined = {} if is_settled else {kept: _joined(one, other, store.layout)}
        return self._with_masks(frame_index, {**joined, gone: absent})

    # --- Writing

    def write_answer(self, answer: Answer) -> None:
        """Write a frame with the answers on it."""
        # A process that is killed here must not leave the anchor of an earlier prompt.
        ids = [prompt.object_id for prompt in answer.prompts]
        self._masklets.store.remove_anchors(ids, [answer.result.frame_index])
        self.write(answer.result)
        for prompt in answer.prompts:
            for anchor in answer.anchors:
                if anchor.object_id == prompt.object_id:
                    self._masklets.note(prompt, anchor)
                    self._masklets.store.write_anchor(anchor)

    def write(self, result: FrameResult) -> None:
        """Write a frame; objects that are new to the store get room."""
        self._make_room(result.object_ids)
        self._masklets.store.write(result)

    def _make_room(self, object_ids: Sequence[int]) -> None:
        store = self._masklets.store
        if not set(object_ids) <= set(store.object_ids):
            store.add_objects(state.as_prompted() for state in self._book.objects)


def _masks_on(store: OmeZarrLabelStore, frame_index: int) -> dict[int, SeenMask]:
    """Return the masks that a frame has, by object."""
    ids, logits = store.read_logits(frame_index)
    tiles = store.read_tiles(frame_index, ids).tolist()
    return {
        object_id: SeenMask(mask, tile)
        for object_id, mask, tile in zip(ids, logits, tiles, strict=True)
    }


def _joined(one: SeenMask, other: SeenMask, layout: TileLayout) -> SeenMask:
    """Return a mask of the pixels of two, in the tile that holds them best."""
    boxes = [
        box
        for mask in (one, other)
        if (box := layout.box_of(mask.logits > 0, mask.tile)) is not None
    ]
    if not boxes or one.tile == other.tile:
        return SeenMask(np.maximum(one.logits, other.logits), one.tile)
    from napari_sam2.tracking.memory.handover import logits_in_tile

    low, high = np.min(boxes, axis=0), np.max(boxes, axis=0)
    tile = layout.best((low[0], low[1], high[2], high[3]))
    parts = (
        logits_in_tile(mask.logits, (mask.tile, tile), layout) for mask in (one, other)
    )
    return SeenMask(np.maximum(*parts), tile)


def events_of(result: FrameResult, dtype: np.dtype) -> Iterator[FrameChanged | Scored]:
    """Say what a frame looks like now, and what its objects measure."""
    labels = result.labels.astype(dtype, copy=False)
    yield FrameChanged(result.frame_index, labels)
    yield Scored(ScoreRow.of(result))


def frames_of(
    store: OmeZarrLabelStore, object_ids: Sequence[int]
) -> dict[int, tuple[int, ...]]:
    """Return the frames that have a mask of any of the objects, and of which."""
    known = list(store.object_ids)
    sought = np.array(
        [object_id for object_id in object_ids if object_id in known], np.int64
    )
    columns = [known.index(object_id) for object_id in sought.tolist()]
    has_mask = store.read_score_table("area")[:, columns] > 0
    return {
        frame: tuple(sought[has_mask[frame]].tolist())
        for frame in np.flatnonzero(has_mask.any(axis=1)).tolist()
    }


@dataclass(frozen=True, slots=True)
class Claim:
    """What one edit waits for.

    Attributes
    ----------
    numbers
        By frame; higher numbers are later.
    """

    numbers: dict[int, int]


class PendingAnswers:
    """Numbers the edits of each frame, so that late answers are known and dropped."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}

    def note(self, frames: Iterable[int]) -> Claim:
        """Take note of an edit of some frames; earlier answers there are late."""
        for frame_index in frames:
            self._numbers[frame_index] = self._numbers.get(frame_index, 0) + 1
        return Claim({frame: self._numbers[frame] for frame in frames})

    def is_wanted(self, claim: Claim, frame_index: int) -> bool:
        """Whether no later edit is about the frame; asked from the worker."""
        number = claim.numbers.get(frame_index)
        return number is None or self._numbers.get(frame_index) == number

    def is_current(self, claim: Claim) -> bool:
        """Whether no later edit is about any of its frames."""
        return all(self.is_wanted(claim, frame) for frame in claim.numbers)


MANY_FRAMES = 16
"""More changed frames than these are not sent one by one."""


class Edits:
    """Makes masklets follow from the book."""

    def __init__(self, workspace: Workspace, steps: Steps) -> None:
        self._workspace = workspace
        self._steps = steps

    def apply(
        self,
        request: Request,
        edit: Edit,
        is_wanted: Callable[[int], bool],
        shown_frame: int,
    ) -> Iterator[Event]:
        """Record an edit and do what follows from it; see `TrackingEngine.apply`."""
        if self._workspace.masklets(request) is None and not edit.after.has_prompts:
            self._steps.record_early(request, edit)
            return
        yield from self._workspace.prepare(request)
        yield from self._workspace.open_masklets(request, edit.after)
        frames = nearest_first(edit.changes.frames, shown_frame)
        wanted = [frame for frame in frames if is_wanted(frame)]
        masklets = self._workspace.opened(request)
        work = FrameEdits(masklets, self._workspace.movie, edit.after)
        gone = work.vanished(edit)
        if frames and not (wanted or gone):
            masklets.pending.append(edit)
            return
        with _committed(masklets.store):
            yield from self._answer(request, work, edit, wanted)
            yield from self._clear(request, work, gone, shown_frame)

    def merge(
        self, request: Request, edit: Edit, pair: tuple[int, int], shown_frame: int
    ) -> Iterator[Event]:
        """Record a merge; see `TrackingEngine.merge`."""
        masklets = self._workspace.masklets(request)
        if masklets is None:
            self._steps.record_early(request, edit)
            return
        yield from self._workspace.prepare(request)
        self._steps.record(request, edit)
        kept, gone = pair
        work = FrameEdits(masklets, self._workspace.movie, edit.after)
        with _committed(masklets.store):
            work.take_over(kept, gone)
            frames = nearest_first(frames_of(masklets.store, [gone]), shown_frame)
            results = (work.merged(frame, kept, gone) for frame in frames)
            yield from self._write_all(request, work, results)
            # Earlier edits of these frames were passed over: they are answered here.
            for frame in nearest_first(edit.changes.frames, shown_frame):
                yield from self._answer_frame(request, work, frame)
            yield from self._clear(request, work, work.vanished(edit), shown_frame)

    def resolve(self, request: Request, book: BookState) -> Iterator[Event]:
        """Answer all prompts of a book that have no answer yet."""
        work = FrameEdits(self._workspace.opened(request), self._workspace.movie, book)
        for frame in work.unanswered():
            yield from self._answer_frame(request, work, frame)

    def _answer(
        self, request: Request, work: FrameEdits, edit: Edit, frames: Sequence[int]
    ) -> Iterator[Event]:
        """Answer frames; the first answer is shown before anything is written."""
        answer = work.answer(frames[0]) if frames else None
        if answer is not None:
            yield from events_of(answer.result, self._dtype(request))
            yield from self._remark(answer.result)
        self._steps.record(request, edit)
        if answer is not None:
            work.write_answer(answer)
        for frame in frames:
            yield from self._answer_frame(request, work, frame)

    def _remark(self, result: FrameResult) -> Iterator[Event]:
        """Say, once for a movie, that the model can hardly see what was answered."""
        movie = self._workspace.movie
        said = movie.remark(result.scores.area.tolist())
        if said is not None:
            yield Remark(said)

    def _answer_frame(
        self, request: Request, work: FrameEdits, frame: int
    ) -> Iterator[Event]:
        """Answer what has no answer on a frame, clear what has no prompt any more."""
        silenced = work.silenced(frame)
        if silenced is not None:
            work.write(silenced)
            yield from events_of(silenced, self._dtype(request))
        answer = work.answer(frame)
        if answer is not None:
            work.write_answer(answer)
            yield from events_of(answer.result, self._dtype(request))

    def _clear(
        self,
        request: Request,
        work: FrameEdits,
        gone: Mapping[int, FrameSet],
        shown_frame: int,
    ) -> Iterator[Event]:
        """Take objects out of the frames on which they vanished."""
        left = work.left_over(gone)
        frames = nearest_first(left, shown_frame)
        results = (work.without(frame, left[frame]) for frame in frames)
        yield from self._write_all(request, work, results)

    def _write_all(
        self, request: Request, work: FrameEdits, results: Iterable[FrameResult]
    ) -> Iterator[Event]:
        """Write frames; of many, only the first are sent with their labels."""
        later: list[int] = []
        for number, result in enumerate(results):
            work.write(result)
            if number < MANY_FRAMES:
                yield from events_of(result, self._dtype(request))
            else:
                later.append(result.frame_index)
                _, scored = events_of(result, self._dtype(request))
                yield scored
        if later:
            yield FramesChanged(FrameSet.of(later))

    def _dtype(self, request: Request) -> np.dtype:
        return np.dtype(self._workspace.opened(request).store.array.dtype)


@contextmanager
def _committed(store: OmeZarrLabelStore) -> Iterator[None]:
    """Commit at the end, also where the window is closed between two frames."""
    try:
        yield
    except GeneratorExit:
        store.commit(NO_RUN, None)
        raise
    store.commit(NO_RUN, None)


def nearest_first(frames: Iterable[int], shown_frame: int) -> list[int]:
    """Return frames by their distance from the one that is shown."""
    return sorted(frames, key=lambda frame: (abs(frame - shown_frame), frame))

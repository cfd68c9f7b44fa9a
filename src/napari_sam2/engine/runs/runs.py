"""Runs of the tracker: what was asked, what is left to do, what came of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace

import numpy as np

from napari_sam2.engine.edits.edits import events_of
from napari_sam2.engine.edits.steps import Steps
from napari_sam2.engine.events import Event, Followed, Request, Said, Together
from napari_sam2.engine.orders import NOTHING_TO_REPAIR, Order, holds, prompted
from napari_sam2.engine.workspace.kept_frames import KeptFrames
from napari_sam2.engine.workspace.loading import predictor_for, provenance, setup_for
from napari_sam2.engine.workspace.open_masklets import Masklets
from napari_sam2.engine.workspace.workspace import Workspace
from napari_sam2.errors import InputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.movies.prefetch import PrefetchingFrameSource
from napari_sam2.io.prompts.json_file import document_of
from napari_sam2.session.book.prompt_book import Edit
from napari_sam2.session.book.state import BookState
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.planning.plan import (
    AROUND_A_FRAME,
    FrameRange,
    Plan,
    object_lives,
)
from napari_sam2.session.planning.walks import walks
from napari_sam2.session.session import FrameDone, Session
from napari_sam2.tracking.memory.slots import ROW_BLOCK


class Runs:
    """Tracks what the book says."""

    def __init__(self, workspace: Workspace, steps: Steps) -> None:
        self._workspace = workspace
        self._steps = steps

    def run(self, request: Request, book: BookState, order: Order) -> Iterator[Event]:
        """Track, or repair; everything that is prompted was answered before.

        Where prompts or locks of its objects change meanwhile, it is planned anew; what
        is clicked on meanwhile is tracked in the end. A run is one step of the history;
        what is done meanwhile is a step of its own, and takes in what is written after.
        """
        masklets = self._workspace.opened(request)
        history = masklets.store.history
        plan = self._plan(masklets, request, book, order)
        if plan is None:
            yield Said(NOTHING_TO_REPAIR)
            return
        if masklets.store.provenance.fingerprint is None:
            yield from self._workspace.know_movie(request, masklets.store)
        begin = self._steps.join if order.joins_step else self._steps.record
        begin(request, Edit(order.text, book, book))
        while plan is not None:
            masklets.interrupted = plan
            yield Followed(book)
            yield from self._follow(request, book, plan, order)
            masklets.interrupted = None
            planned, book = book, history.book
            is_as_planned = holds(planned, book, masklets.store.frame_count)
            if is_as_planned and not _waiting(planned, book, order):
                break
            plan = self._plan(masklets, request, book, order, is_rest=True)
            if plan is not None:
                self._steps.join(request, Edit(order.text, book, book))
        if not any(state.stale for state in history.book.objects):
            masklets.store.finish()

    def _follow(
        self, request: Request, book: BookState, plan: Plan, order: Order
    ) -> Iterator[Event]:
        """Run a plan to its end, or until it does not hold any more."""
        store = self._workspace.opened(request).store
        history, dtype = store.history, store.array.dtype
        position, written = history.position, list[tuple[int, tuple[int, ...]]]()
        try:
            with closing(self._propagate(request, book, plan)) as steps:
                for done in steps:
                    if done.written:
                        written.append((done.frame_index, done.object_ids))
                    yield _told(done, dtype)
                    if history.position == position:
                        continue
                    # Somebody did something else meanwhile.
                    present, written = history.book, []
                    if not holds(book, present, store.frame_count):
                        break
                    self._steps.join(request, Edit(order.text, present, present))
                    position = history.position
        finally:
            if history.position == position:
                history.renew_after(_marked(history.book, written))

    def _propagate(
        self, request: Request, book: BookState, plan: Plan
    ) -> Generator[FrameDone, None, None]:
        """Yield what was done on each frame."""
        loaded, movie = self._workspace.prepared
        masklets, objects = self._workspace.opened(request), prompted(book)
        source = KeptFrames(request.image.open())
        known = movie.predictor.network.embeddings
        made_by = masklets.store.provenance
        setup = setup_for(loaded, request, made_by)
        remembered = len(objects) + ROW_BLOCK  # clicks have a bank of their own
        predictor = predictor_for(loaded, request, source, known, remembered, setup)
        settings, budget = (plan.direction, plan.merge), request.budget
        makes = provenance(loaded, predictor, source, objects, settings, budget)
        with closing(PrefetchingFrameSource(source)) as ahead:
            masklets.store.add_objects(objects)
            masklets.store.renew_provenance(makes.with_movie(made_by.fingerprint))
            session = Session(
                ahead,
                masklets.store,
                predictor,
                objects,
                anchors=tuple(masklets.anchors.values()),
                has_foreign_labels=True,
                intensities=source.intensities,
            )
            with closing(session.propagate(plan)) as steps:
                yield from steps

    def _plan(
        self,
        masklets: Masklets,
        request: Request,
        book: BookState,
        order: Order,
        *,
        is_rest: bool = False,
    ) -> Plan | None:
        """Return what is to be done; a run that was stopped goes on where it was."""
        objects = prompted(book)
        if not objects:
            raise InputError("There is nothing to track: click on a cell first")
        frame_count = masklets.store.frame_count
        first, last = order.frames or (0, frame_count - 1)
        plan = Plan(
            frames=FrameRange(max(0, first), min(last + 1, frame_count)),
            direction=order.direction,
            merge=order.merge,
            locks={
                state.object_id: state.locked for state in book.objects if state.locked
            },
            start=order.start if order.direction in AROUND_A_FRAME else None,
        )
        if order.is_repair:
            only = _owed(masklets.store, book)
            return replace(plan, only=only) if only else None
        if order.direction in AROUND_A_FRAME:
            return plan
        before = masklets.interrupted
        if before is not None:
            again = _keyed(replace(plan, only=before.only), request, book)
            recorded = masklets.store.read_progress()
            if recorded is not None and recorded[0].plan_key == again.key:
                return again
        stale = {state.object_id: state.stale for state in book.objects if state.stale}
        fresh = replace(plan, only=stale)
        if not walks(object_lives(objects, frame_count), fresh):
            if is_rest:
                return None
            fresh = plan  # all of it follows already: somebody wants it once more
        return _keyed(fresh, request, book)


def _waiting(planned: BookState, book: BookState, order: Order) -> bool:
    """Whether something is prompted, and not tracked, that a plan did not know of."""
    return order.direction not in AROUND_A_FRAME and any(
        state.prompts and state.stale and state.object_id not in planned
        for state in book.objects
    )


def _owed(store: OmeZarrLabelStore, book: BookState) -> Mapping[int, FrameSet]:
    """Return the stale frames that were tracked before, by object."""
    area = store.read_score_table("area")
    owed = {}
    for column, object_id in enumerate(store.object_ids):
        if object_id in book:
            computed = FrameSet.of(np.flatnonzero(area[:, column] >= 0).tolist())
            if due := book[object_id].stale & computed:
                owed[object_id] = due
    return owed


def _told(done: FrameDone, dtype: np.dtype) -> Together:
    """Say what was done on a frame, and what it looks like if it is new."""
    if done.result is None:
        return Together((done,))
    # Logits would fill the queue to the window.
    return Together((*events_of(done.result, dtype), replace(done, result=None)))


def _marked(
    book: BookState, written: Iterable[tuple[int, tuple[int, ...]]]
) -> BookState:
    """Return a book in which frames are not stale: their numbers, whose they are."""
    frames: dict[int, set[int]] = {}
    for frame_index, object_ids in written:
        for object_id in object_ids:
            frames.setdefault(object_id, set()).add(frame_index)
    return book.with_objects(
        replace(state, stale=state.stale - FrameSet.of(frames[state.object_id]))
        for state in book.objects
        if state.object_id in frames and state.stale
    )


def _keyed(plan: Plan, request: Request, book: BookState) -> Plan:
    """Give a plan its key: a hash of the content of all that decides what it does."""
    masks = [
        hashlib.sha256(np.packbits(prompt.mask.mask).data).hexdigest()
        for state in book.objects
        for prompt in state.prompts
        if prompt.mask is not None
    ]
    facts = {
        "frames": (plan.frames.first, plan.frames.stop),
        "settings": (str(plan.direction), str(plan.merge)),
        "locks": _runs({state.object_id: state.locked for state in book.objects}),
        "only": None if plan.only is None else _runs(plan.only),
        "image": repr(request.image),
        "model": (request.model, request.device, request.precision, request.tiles),
        "tracker": repr(request.tracker),
        "prompts": document_of(prompted(book), "masks")[0].model_dump(mode="json"),
        "masks": masks,
    }
    text = json.dumps(facts, sort_keys=True)
    return replace(plan, key=hashlib.sha256(text.encode()).hexdigest())


def _runs(frames: Mapping[int, FrameSet]) -> dict[int, tuple[tuple[int, int], ...]]:
    return {object_id: of_one.runs for object_id, of_one in frames.items() if of_one}

"""Runs of the tracker: what was asked, what is left to do, what came of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace

import numpy as np

from napari_sam2.engine.edits.frame_edits import events_of
from napari_sam2.engine.edits.steps import Steps
from napari_sam2.engine.events import (
    Event,
    Followed,
    FrameChanged,
    Request,
    Said,
    Scored,
    Together,
)
from napari_sam2.engine.orders import NOTHING_TO_REPAIR, Order, holds, prompted
from napari_sam2.engine.workspace.loading import predictor_for, provenance
from napari_sam2.engine.workspace.open_masklets import Masklets
from napari_sam2.engine.workspace.workspace import Workspace
from napari_sam2.errors import InputError
from napari_sam2.interfaces import FrameResult
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.movies.prefetch import PrefetchingFrameSource
from napari_sam2.session.book.prompt_book import Edit
from napari_sam2.session.book.state import BookState
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.planning.plan import (
    AROUND_A_FRAME,
    FrameRange,
    Plan,
    object_lives,
)
from napari_sam2.session.planning.sweeps import sweeps
from napari_sam2.session.session import FrameDone, Session


class LastWritten:
    """A label store that remembers which frame was written last.

    Parameters
    ----------
    store
        The one that writes.
    intensities
        Returns a frame in the movie's own units, ``(Y, X)``.
    """

    def __init__(
        self, store: OmeZarrLabelStore, intensities: Callable[[int], np.ndarray]
    ) -> None:
        self._store = store
        self._intensities = intensities
        self.result: FrameResult | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def write(self, result: FrameResult) -> None:
        """Store a frame with what its objects measure, and remember it."""
        result = replace(result, image=self._intensities(result.frame_index))
        self._store.write(result)
        self.result = result


class Written:
    """Frames that a run has written since the last step of the history."""

    def __init__(self) -> None:
        self._frames: dict[int, set[int]] = {}

    def note(self, done: FrameDone) -> None:
        """Take note of a frame."""
        for one in done.object_ids:
            self._frames.setdefault(one, set()).add(done.frame_index)

    def marked(self, book: BookState) -> BookState:
        """Return a book in which these frames are not stale."""
        return book.with_objects(
            replace(thing, stale=thing.stale - FrameSet.of(self._frames[one]))
            for one in self._frames
            if one in book and (thing := book[one]).stale
        )


class Runs:
    """Tracks what the book says.

    Parameters
    ----------
    workspace
        What is open.
    steps
        Where runs are recorded.
    """

    def __init__(self, workspace: Workspace, steps: Steps) -> None:
        self._workspace = workspace
        self._steps = steps

    def run(self, request: Request, book: BookState, order: Order) -> Iterator[Event]:
        """Track, or repair; everything that is prompted was answered before.

        Where prompts or locks of its objects change meanwhile, it is planned anew.
        """
        masklets = self._workspace.opened(request)
        history = masklets.store.history
        plan = self._plan(masklets, request, book, order)
        if plan is None:
            yield Said(NOTHING_TO_REPAIR)
            return
        self._begin(request, book, order)
        while plan is not None:
            masklets.interrupted = plan
            yield Followed(book)
            yield from self._follow(request, book, plan, order)
            masklets.interrupted = None
            planned, book = book, history.book
            if holds(planned, book, masklets.store.frame_count):
                break
            plan = self._plan(masklets, request, book, order, is_rest=True)
            if plan is not None:
                self._begin(request, book, order)
        if not any(thing.stale for thing in history.book.objects):
            masklets.store.finish()

    def _follow(
        self, request: Request, book: BookState, plan: Plan, order: Order
    ) -> Iterator[Event]:
        """Run a plan to its end, or until it does not hold any more."""
        history = self._workspace.opened(request).store.history
        position, written = history.position, Written()
        try:
            with closing(self._propagate(request, book, plan)) as events:
                for done, shown in events:
                    if done.written:
                        written.note(done)
                    yield Together((*shown, done))
                    if history.position == position:
                        continue
                    # Somebody did something else meanwhile.
                    present, written = history.book, Written()
                    if not holds(book, present, self._frame_count(request)):
                        break
                    self._begin(request, present, order)
                    position = history.position
        finally:
            if history.position == position:
                history.renew_after(written.marked(history.book))

    def _begin(self, request: Request, book: BookState, order: Order) -> None:
        """Say which step of the history takes what is written from now on."""
        begin = self._steps.join if order.joins_step else self._steps.record
        begin(request, Edit(order.text, book, book))

    def _frame_count(self, request: Request) -> int:
        return self._workspace.opened(request).store.frame_count

    def _propagate(
        self, request: Request, book: BookState, plan: Plan
    ) -> Generator[tuple[FrameDone, Iterable[FrameChanged | Scored]], None, None]:
        """Yield what was done on each frame, and what it looks like if it is new."""
        loaded, movie = self._workspace.prepared
        masklets, objects = self._workspace.opened(request), prompted(book)
        source = request.image.open()
        known = movie.predictor.network.embeddings
        predictor = predictor_for(loaded, request, source, known)
        settings = (plan.direction, plan.merge)
        made_by = provenance(loaded, predictor, source, objects, settings)
        store = LastWritten(masklets.store, movie.source.intensities)
        with closing(PrefetchingFrameSource(source)) as ahead:
            masklets.store.add_objects(objects)
            masklets.store.renew_provenance(made_by)
            session = Session(
                ahead,
                store,  # type: ignore[arg-type]
                predictor,
                objects,
                anchors=tuple(masklets.anchors.values()),
                has_foreign_labels=True,
            )
            with closing(session.propagate(plan)) as steps:
                for done in steps:
                    dtype = masklets.store.array.dtype
                    result = store.result if done.written else None
                    yield done, () if result is None else events_of(result, dtype)

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
            locks={one.object_id: one.locked for one in book.objects if one.locked},
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
        stale = {one.object_id: one.stale for one in book.objects if one.stale}
        fresh = replace(plan, only=stale)
        if not sweeps(object_lives(objects, frame_count), fresh):
            if is_rest:
                return None
            fresh = plan  # all of it follows already: somebody wants it once more
        return _keyed(fresh, request, book)


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


def _keyed(plan: Plan, request: Request, book: BookState) -> Plan:
    """Give a plan its key: a hash of all that decides what it does."""
    prompts = [
        (one.object_id, id(prompt)) for one in book.objects for prompt in one.prompts
    ]
    facts = {
        "frames": (plan.frames.first, plan.frames.stop),
        "settings": (str(plan.direction), str(plan.merge)),
        "locks": {one: runs.runs for one, runs in _sets(plan.locks).items()},
        "only": None
        if plan.only is None
        else {one: runs.runs for one, runs in plan.only.items()},
        "image": repr(request.image),
        "model": (request.model, request.device, request.precision),
        "prompts": prompts,
    }
    text = json.dumps(facts, sort_keys=True, default=str)
    return replace(plan, key=hashlib.sha256(text.encode()).hexdigest())


def _sets(locks: Mapping[int, object]) -> Mapping[int, FrameSet]:
    return {one: it for one, it in locks.items() if isinstance(it, FrameSet)}

"""Both ways through a gap, for somebody who chooses between them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_sam2.engine.edits.edits import events_of
from napari_sam2.engine.edits.steps import Steps
from napari_sam2.engine.events import (
    ONLY_BACKWARD,
    ONLY_FORWARD,
    Compared,
    DirectionsCompared,
    Event,
    Request,
)
from napari_sam2.engine.orders import prompted
from napari_sam2.engine.workspace.loading import predictor_for, setup_for
from napari_sam2.engine.workspace.workspace import Workspace
from napari_sam2.errors import InputError
from napari_sam2.session.book.prompt_book import Edit
from napari_sam2.session.book.state import BookState
from napari_sam2.session.comparison import Comparison
from napari_sam2.session.planning.plan import Direction
from napari_sam2.session.session import Session

NOT_THERE = "There is no comparison to keep: compare the directions once more"


class Comparisons:
    """Compares the ways through one gap at a time."""

    def __init__(self, workspace: Workspace, steps: Steps) -> None:
        self._workspace = workspace
        self._steps = steps
        self._found: tuple[Request, Comparison] | None = None

    def run(
        self, request: Request, book: BookState, place: tuple[int, int]
    ) -> Iterator[Event]:
        """Track a gap both ways; see `TrackingEngine.compare`."""
        self._found = None
        loaded, movie = self._workspace.prepared
        masklets = self._workspace.opened(request)
        session = Session(
            movie.source,
            masklets.store,
            predictor_for(
                loaded,
                request,
                movie.source,
                movie.predictor.network.embeddings,
                setup=setup_for(loaded, request, masklets.store.provenance),
            ),
            prompted(book),
            anchors=tuple(masklets.anchors.values()),
            has_foreign_labels=True,
            intensities=movie.source.intensities,
        )
        comparison = Comparison(session, *place)
        for step in comparison.run():
            difference = (
                None
                if step.agreement is None
                else _difference(comparison, step.frame_index)
            )
            yield Compared(step.frame_index, step.position, step.total, difference)
        self._found = request, comparison
        yield DirectionsCompared(request, book, place[0], dict(comparison.agreement))

    def keep(self, request: Request, edit: Edit, way: Direction) -> Iterator[Event]:
        """Write the masks of one way; see `TrackingEngine.keep_direction`."""
        found, self._found = self._found, None
        if found is None or found[0].masklets_key != request.masklets_key:
            raise InputError(NOT_THERE)
        self._steps.record(request, edit)
        locks = {o.object_id: o.locked for o in edit.after.objects if o.locked}
        dtype = self._workspace.opened(request).store.array.dtype
        for done in found[1].keep(way, locks=locks):
            if done.result is not None:
                yield from events_of(done.result, dtype)

    def forget(self) -> None:
        """Let go of the comparison: its masks, and the memory of its tracker."""
        self._found = None


def _difference(comparison: Comparison, frame_index: int) -> np.ndarray:
    """Return ``(Y, X)`` uint8: which pixels only one of the ways has."""
    forward, backward = (
        comparison.mask(way, frame_index)
        for way in (Direction.FORWARD, Direction.BACKWARD)
    )
    difference = np.zeros(forward.shape, np.uint8)
    difference[forward & ~backward] = ONLY_FORWARD
    difference[backward & ~forward] = ONLY_BACKWARD
    return difference

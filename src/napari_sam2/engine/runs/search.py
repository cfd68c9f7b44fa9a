"""What a movie holds that nobody prompted: masks of a frame, objects of all frames."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from napari_sam2.batch.score_tables import tables_of
from napari_sam2.engine.events import (
    DivisionsSeen,
    Event,
    MasksFound,
    ObjectsFound,
    Request,
    Said,
)
from napari_sam2.engine.workspace.loading import predictor_for
from napari_sam2.engine.workspace.workspace import Workspace
from napari_sam2.errors import InputError
from napari_sam2.generators import WithResult
from napari_sam2.session.book.proposals import ProposedDivision
from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.session.scores.divisions import proposed_divisions
from napari_sam2.tracking.automatic.mask_options import MaskOptions
from napari_sam2.tracking.automatic.masklet_options import Divisions, MaskletOptions

if TYPE_CHECKING:
    from napari_sam2.tracking.automatic.masks import AutomaticMask

Step = TypeVar("Step")
Result = TypeVar("Result")


class Search:
    """Looks for what is there; the masks of the last frame are kept."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._looked_at: Hashable = None
        self._masks: list[AutomaticMask] = []

    def masks(
        self, request: Request, frame_index: int, options: MaskOptions
    ) -> Iterator[Event]:
        """Find masks of all that nobody follows on a frame; `MasksFound` has them.

        Other thresholds on the same frame do not ask the network again.
        """
        yield from self._workspace.prepare(request)
        yield Said(f"Looking for everything on frame {frame_index} …")
        labels, kept = yield from self._free(request, frame_index, options)
        yield MasksFound(frame_index, labels, len(kept))

    def similar(
        self,
        request: Request,
        state: ObjectState,
        frame_index: int,
        options: MaskOptions,
    ) -> Iterator[Event]:
        """Find masks on a frame that are like an object; `MasksFound` ranks them.

        Raises
        ------
        InputError
            If the object has no mask.
        """
        from napari_sam2.tracking.automatic.likeness import likeness, pointers_of

        yield from self._workspace.prepare(request)
        yield Said(f"Looking for more like object {state.object_id} …")
        movie = self._workspace.movie
        at, own = self._mask_of(request, state, frame_index)
        labels, kept = yield from self._free(request, frame_index, options)
        shape = movie.source.frame_shape
        own_frame = movie.source.read(at)
        predictor = movie.predictor
        (pointer,) = pointers_of(predictor, at, own_frame, iter([own]))
        pointers = pointers_of(
            predictor,
            frame_index,
            movie.source.read(frame_index),
            (mask.on(shape) for mask in kept),
        )
        areas = [mask.area for mask in kept]
        alike = np.zeros(0)
        if kept:
            alike = likeness((pointer, int(own.sum())), pointers, areas)
        order = np.argsort(-alike, kind="stable")
        ranks = np.zeros(len(kept) + 1, labels.dtype)
        ranks[1 + order] = np.arange(1, len(kept) + 1)
        ranked = tuple(float(alike[place]) for place in order)
        yield MasksFound(frame_index, ranks[labels], len(kept), ranked)

    def objects(self, request: Request, options: MaskletOptions) -> Iterator[Event]:
        """Find the objects of the movie; `ObjectsFound` has them.

        Raises
        ------
        InputError
            If there are none.
        """
        from napari_sam2.tracking.automatic.discovery import Discovery

        yield from self._workspace.prepare(request)
        with closing(request.image.open()) as source:
            loaded, movie = self._workspace.prepared
            predictor = predictor_for(loaded, request, source, setup=movie.setup)
            found = yield from _told(
                Discovery(source, predictor, options).run(),
                lambda looked: (
                    f"Looking for everything: frame {looked.position} of "
                    f"{looked.total}, {looked.objects} objects …"
                ),
            )
        if not found.objects:
            raise InputError("Nothing was found in the movie: lower the thresholds")
        is_proposed = options.divisions is Divisions.PROPOSE
        seen = found.divisions if is_proposed else ()
        yield ObjectsFound(
            tuple(found.objects),
            tuple(
                ProposedDivision(
                    one.mother, one.daughters[1], one.frame_index, one.places
                )
                for one in seen
            ),
        )

    def divisions(self, request: Request, book: BookState) -> Iterator[Event]:
        """Look for divisions of what is tracked; `DivisionsSeen` has them.

        Raises
        ------
        InputError
            If there are no masklets.
        """
        masklets = self._workspace.masklets(request)
        if masklets is None:
            raise InputError("There are no masks yet: track first")
        store = masklets.store
        tables = tables_of(store, request.model)
        evidence = store.read_division_evidence()
        yield DivisionsSeen(tuple(proposed_divisions(tables, evidence, book)))

    def _free(
        self, request: Request, frame_index: int, options: MaskOptions
    ) -> Generator[Event, None, tuple[np.ndarray, list[AutomaticMask]]]:
        """Return labels, and the masks, of what nobody follows on a frame."""
        from napari_sam2.tracking.automatic.generator import chosen
        from napari_sam2.tracking.automatic.masks import label_masks

        yield from self._look(request, frame_index, options)
        masklets = self._workspace.masklets(request)
        known = None if masklets is None else masklets.store.read_labels(frame_index)
        return label_masks(
            chosen(self._masks, options),
            self._workspace.movie.source.frame_shape,
            minimum_area=options.minimum_area,
            minimum_visible=options.minimum_visible,
            unsure_visible=options.unsure_visible,
            occupied=None if known is None else known > 0,
        )

    def _mask_of(
        self, request: Request, state: ObjectState, frame_index: int
    ) -> tuple[int, np.ndarray]:
        """Return an object's mask on a frame, else on the nearest that was prompted."""
        masklets = self._workspace.masklets(request)
        anchors = sorted(state.anchors, key=lambda one: abs(one - frame_index))
        if masklets is not None:
            for at in (frame_index, *anchors):
                mask = masklets.store.read_labels(at) == state.object_id
                if mask.any():
                    return at, mask
        raise InputError(
            f"object {state.object_id} has no mask where it was prompted: choose one "
            "that has"
        )

    def _look(
        self, request: Request, frame_index: int, options: MaskOptions
    ) -> Iterator[Event]:
        """Ask the network, unless it was asked the same before; tile by tile."""
        from napari_sam2.tracking.automatic.generator import MaskGenerator, loosest

        movie, asked = self._workspace.movie, loosest(options)
        model = request.model, request.device, request.precision
        seen = request.image, *model, movie.setup.tracker.tiles
        if self._looked_at == (seen, frame_index, asked):
            return
        generator = MaskGenerator(movie.predictor.network, asked)
        self._masks = yield from _told(
            generator.steps(frame_index, movie.source.read(frame_index)),
            lambda tile: (
                f"Looking at frame {frame_index}: tile {tile[0]} of {tile[1]} …"
                if tile[0] < tile[1]
                else None
            ),
        )
        self._looked_at = (seen, frame_index, asked)


def _told(
    steps: Generator[Step, None, Result], sentence: Callable[[Step], str | None]
) -> Generator[Event, None, Result]:
    """Say what there is to say of each step of a search, and return what it found."""
    taken = WithResult(steps)
    for step in taken:
        if said := sentence(step):
            yield Said(said)
    return taken.result

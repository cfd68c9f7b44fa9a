"""What a movie holds that nobody prompted: masks of a frame, objects of all frames."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from napari_sam2.engine.events import (
    Event,
    MasksFound,
    ObjectsFound,
    Request,
    Said,
)
from napari_sam2.engine.workspace.loading import predictor_for
from napari_sam2.engine.workspace.workspace import Workspace
from napari_sam2.errors import InputError
from napari_sam2.session.book.proposals import ProposedDivision
from napari_sam2.tracking.automatic.mask_options import MaskOptions
from napari_sam2.tracking.automatic.masklet_options import Divisions, MaskletOptions

if TYPE_CHECKING:
    from napari_sam2.tracking.automatic.masks import AutomaticMask


class Search:
    """Looks for what is there; the masks of the last frame are kept.

    Parameters
    ----------
    workspace
        What is open.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._looked_at: Hashable = None
        self._masks: list[AutomaticMask] = []

    def masks(
        self, request: Request, frame_index: int, options: MaskOptions
    ) -> Iterator[Event]:
        """Find masks on a frame that nobody follows."""
        from napari_sam2.tracking.automatic.generator import chosen
        from napari_sam2.tracking.automatic.masks import label_masks

        yield from self._workspace.prepare(request)
        yield Said(f"Looking for everything on frame {frame_index} …")
        self._look(request, frame_index, options)
        masklets = self._workspace.masklets(request)
        known = None if masklets is None else masklets.store.read_labels(frame_index)
        labels, kept = label_masks(
            chosen(self._masks, options),
            self._workspace.prepared[1].source.frame_shape,
            minimum_area=options.minimum_area,
            minimum_visible=options.minimum_visible,
            occupied=None if known is None else known > 0,
        )
        yield MasksFound(frame_index, labels, len(kept))

    def objects(self, request: Request, options: MaskletOptions) -> Iterator[Event]:
        """Find the objects of the movie."""
        from napari_sam2.tracking.automatic.discovery import Discovery

        yield from self._workspace.prepare(request)
        loaded, _ = self._workspace.prepared
        with closing(request.image.open()) as source:
            predictor = predictor_for(loaded, request, source)
            steps = Discovery(source, predictor, options).run()
            while True:
                try:
                    looked = next(steps)
                except StopIteration as end:
                    found = end.value
                    break
                yield Said(
                    f"Looking for everything: frame {looked.position} of "
                    f"{looked.total}, {looked.objects} objects …"
                )
        if not found.objects:
            raise InputError("Nothing was found in the movie: lower the thresholds")
        is_proposed = options.divisions is Divisions.PROPOSE
        seen = found.divisions if is_proposed else ()
        yield ObjectsFound(
            tuple(found.objects),
            tuple(
                ProposedDivision(one.mother, one.daughters[1], one.frame_index)
                for one in seen
            ),
        )

    def _look(self, request: Request, frame_index: int, options: MaskOptions) -> None:
        """Ask the network, unless it was asked the same before."""
        from napari_sam2.tracking.automatic.generator import MaskGenerator, loosest

        movie, asked = self._workspace.prepared[1], loosest(options)
        seen = (request.image, request.model, request.device, request.precision)
        if self._looked_at == (seen, frame_index, asked):
            return
        generator = MaskGenerator(movie.predictor.network, asked)
        self._masks = generator.find(frame_index, movie.source.read(frame_index))
        self._looked_at = seen, frame_index, asked

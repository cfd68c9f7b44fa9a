"""How large objects are that somebody clicked on, and how closely to look at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import sqrt
from typing import TYPE_CHECKING

from napari_sam2.batch.tile_choice import across, fitting_side
from napari_sam2.engine.events import Request
from napari_sam2.engine.workspace.loading import Loaded, predictor_for
from napari_sam2.engine.workspace.open_masklets import Movie
from napari_sam2.errors import InputError
from napari_sam2.prompts import FramePrompt
from napari_sam2.tiles import OVERLAP

if TYPE_CHECKING:
    from napari_sam2.tracking.predictor import StreamingPredictor

MEASURED = 5
"""Clicked objects that are measured, at most: each may take some embeddings."""


class ObjectSizes:
    """Measures prompted objects of an open movie.

    Parameters
    ----------
    loaded, request, movie
        The model, what the panels say, and the movie in as small tiles as can be.
    """

    def __init__(self, loaded: Loaded, request: Request, movie: Movie) -> None:
        self._loaded, self._request, self._movie = loaded, request, movie
        self._predictors = {movie.setup.tracker.tiles: movie.predictor}

    def fitting_side(self, prompts: Sequence[FramePrompt]) -> int | None:
        """Return the side of tiles that show prompted objects well; None for none.

        Boxes and masks tell how large objects are. Clicks alone do not: what the
        network finds at them is measured.
        """
        sizes = [size for prompt in prompts if (size := across(prompt)) is not None]
        if not sizes:
            found = map(self._across, prompts[:MEASURED])
            sizes = [size for size in found if size is not None]
        return fitting_side(self._shape, self._movie.setup.image_size, sizes)

    def answering(self, prompt: FramePrompt) -> StreamingPredictor:
        """Return who would answer a first prompt, looking as closely as it needs."""
        return self._predictor(self.fitting_side([prompt]))

    @property
    def _shape(self) -> tuple[int, int]:
        """``(Y, X)`` of what is looked at."""
        _, _, height, width = self._movie.predictor.layout.covered
        return height, width

    def _across(self, prompt: FramePrompt) -> float | None:
        """Return how many pixels across the mask of clicks is; None if there is none.

        They are answered in the smallest tiles first. What fills so much of a tile that
        it may have been cut off is looked at in larger ones, up to the whole frame.
        """
        frame = self._movie.source.read(prompt.frame_index)
        for side in self._sides():
            predictor = self._predictor(side)
            try:
                step = predictor.preview(prompt.frame_index, frame, (prompt,))
            except InputError:
                if side is None:
                    raise
                continue  # clicks that lie farther apart than a tile is wide
            height, width = predictor.layout.tile_shape
            size = sqrt((step.logits[0] > 0).mean() * height * width)
            if size and (side is None or size <= OVERLAP * side):
                return size
        return None

    def _sides(self) -> Iterator[int | None]:
        """Yield the sides of tiles, from the closest look on; None: the whole frame."""
        side = self._movie.setup.image_size
        while side < max(self._shape):
            yield side
            side *= 2
        yield None

    def _predictor(self, side: int | None) -> StreamingPredictor:
        """Return who looks so closely; it is kept, with its embeddings."""
        if side not in self._predictors:
            movie, setup = self._movie, self._movie.setup
            setup = replace(setup, tracker=replace(setup.tracker, tiles=side))
            self._predictors[side] = predictor_for(
                self._loaded, self._request, movie.source, setup=setup
            )
        return self._predictors[side]

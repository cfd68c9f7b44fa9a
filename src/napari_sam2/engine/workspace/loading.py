"""Loading the model; what made the masklets. torch is imported when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_sam2 import __version__
from napari_sam2.batch.score_tables import trust_of
from napari_sam2.engine.events import Request
from napari_sam2.errors import unusable_torch
from napari_sam2.interfaces import FrameSource, TrackerSettings
from napari_sam2.io.prompts.json_file import document_of
from napari_sam2.io.sessions.provenance import Provenance, settings_entry
from napari_sam2.model.checkpoints.download import file_sha256
from napari_sam2.model.checkpoints.weights_file import weights_path
from napari_sam2.model.triton_beside_opengl import load_triton_apart
from napari_sam2.prompts import PromptedObject
from napari_sam2.session.planning.plan import Direction, MergePolicy
from napari_sam2.session.scores.trust_model import TrustModel
from napari_sam2.tracking.memory.budget import BudgetPlan
from napari_sam2.tracking.memory.slots import ROW_BLOCK
from napari_sam2.tracking.postprocess import FILL_HOLES

if TYPE_CHECKING:
    import numpy as np

    from napari_sam2.model.sam2 import Sam2
    from napari_sam2.tracking.embedding_cache import EmbeddingCache
    from napari_sam2.tracking.predictor import StreamingPredictor


EMBEDDING_BYTES = 2**28
"""Embeddings that are kept on the model's device: 15 frames of SAM 2.1, hundreds of
nano."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model, and what it was loaded from."""

    name: str
    model: Sam2
    sha256: str
    trust: TrustModel | None = None


def load(name: str, progress: Callable[[int, int | None], None]) -> Loaded:
    """Load a model; torch comes with it.

    Raises
    ------
    ModelError
        If the model, or torch, cannot be used.
    """
    try:
        from napari_sam2.model.checkpoints.checkpoint import load_model
    except (ImportError, RuntimeError, OSError) as error:
        raise unusable_torch(error) from error
    # A window has drawn with OpenGL by now, and torch may ask for triton at any time.
    load_triton_apart()
    model, path = load_model(name, progress=progress), weights_path(name)
    return Loaded(name, model, file_sha256(path), trust_of(path))


@dataclass(frozen=True, slots=True)
class Setup:
    """How a predictor follows objects, with nothing left open.

    Attributes
    ----------
    image_size
        Side in pixels of the network's input.
    tracker
        All else; region and tiles of the movie at hand.
    """

    image_size: int
    tracker: TrackerSettings


def setup_for(
    loaded: Loaded, request: Request, made_by: Provenance | None = None
) -> Setup:
    """Return how a request's objects are followed: as the masklets that go on were.

    What makes the movie hard is the request's to say. Without masklets all of it is
    what was asked for. How large tiles must be that follow objects is not known then:
    they are as small as can be.
    """
    config, axes = loaded.model.config, request.image.axes
    shape = axes.frame_shape if axes.region is None else axes.region[2:]
    tracker = TrackerSettings() if made_by is None else made_by.tracker
    size = (made_by and made_by.image_size) or config.image_size
    tiles = tracker.tiles
    if made_by is None and request.tiles is not None:
        tiles = request.tiles if isinstance(request.tiles, int) else size
    told = request.tracker or tracker
    choices = (told.one_component, tracker.one_component, config.one_component)
    tracker = replace(
        tracker,
        one_component=next(one for one in choices if one is not None),
        hard_cases=told.hard_cases,
        tiles=None if tiles is None or tiles >= max(shape) else tiles,
        region=axes.region,
    )
    return Setup(size, tracker)


def predictor_for(
    loaded: Loaded,
    request: Request,
    source: FrameSource,
    embeddings: EmbeddingCache | None = None,
    objects: int = ROW_BLOCK,
    setup: Setup | None = None,
) -> StreamingPredictor:
    """Return a fresh predictor for a movie; it may borrow embeddings of another.

    Of so many objects, as many are computed at once as the request's budget allows;
    beside them there is room for those that clicks correct meanwhile.
    """
    from napari_sam2.tracking.predictor import StreamingPredictor

    budget, setup = request.budget, setup or setup_for(loaded, request)
    tracker = setup.tracker
    return StreamingPredictor(
        loaded.model,
        frame_shape=source.frame_shape,
        frame_count=source.frame_count,
        device=request.device,
        precision=request.precision,
        object_batch=None if budget is None else budget.at_once(objects),
        cached_bytes=None if budget is None else cached_bytes(request, objects),
        embeddings=embeddings,
        image_size=setup.image_size,
        tile_size=tracker.tiles,
        region=tracker.region,
        fill_holes=0 if tracker.raw_masks else FILL_HOLES,
        one_component=tracker.one_component,
        hard_cases=tracker.hard_cases,
    )


def cached_bytes(request: Request, objects: int = ROW_BLOCK) -> int:
    """Return in how many bytes embeddings are kept, as the request's budget allows.

    Half of what it leaves: clicks have their embeddings, and a run has its own.
    """
    budget = request.budget
    if budget is None:
        return EMBEDDING_BYTES
    return min(EMBEDDING_BYTES, budget.cached_bytes(objects) // 2)


def embed(
    predictor: StreamingPredictor, frame_index: int, frame: np.ndarray, tile: int
) -> None:
    """Prepare the embedding of a tile of a ``(Y, X, 3)`` uint8 frame."""
    import torch

    with torch.inference_mode():
        predictor.network.embed(frame_index, frame, tile)


def provenance(
    loaded: Loaded,
    predictor: StreamingPredictor,
    source: FrameSource,
    objects: Sequence[PromptedObject],
    settings: tuple[Direction, MergePolicy] = (Direction.BOTH, MergePolicy.KEEP),
    budget: BudgetPlan | None = None,
) -> Provenance:
    """Return what makes the masklets from now on."""
    import torch

    direction, merge = settings
    return Provenance(
        model=loaded.name,
        weights_sha256=loaded.sha256,
        image_size=predictor.network.geometry.image_size,
        device=str(predictor.device),
        precision=predictor.precision.name,
        threads=torch.get_num_threads(),
        memory_bytes=None if budget is None else budget.total_bytes,
        prompts=document_of(objects, "masks")[0].model_dump(
            mode="json", exclude_none=True
        ),
        frames=dict(source.provenance),
        settings={
            "direction": str(direction),
            "merge": str(merge),
            **settings_entry(predictor.settings),
        },
        plugin_version=__version__,
    )

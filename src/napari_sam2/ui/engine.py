"""Everything that the dock asks of the network and the disk.

Nothing of napari or Qt: each verb is a generator that runs in the worker thread, one
at a time, and yields what the window must know. torch is imported when the first verb
needs it. The model, the last movie's predictor with its embeddings, and the label
stores stay between the verbs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2 import __version__
from napari_sam2.errors import ModelError, OutputError
from napari_sam2.io.frame_sources import StackFrames
from napari_sam2.io.ome_zarr_labels import OmeZarrLabelStore
from napari_sam2.io.prefetch import PrefetchingFrameSource
from napari_sam2.io.prompt_json import document_of
from napari_sam2.io.provenance import Provenance
from napari_sam2.prompts import FramePrompt, PromptedObject
from napari_sam2.session.plan import Direction, FrameRange, MergePolicy, Plan
from napari_sam2.session.session import FrameDone, Session
from napari_sam2.ui.click_answers import ClickAnswers
from napari_sam2.ui.clicked_masks import ClickedMasks
from napari_sam2.ui.image_input import ImageInput

if TYPE_CHECKING:
    from napari_sam2.model.sam2 import Sam2
    from napari_sam2.tracking.predictor import StreamingPredictor


@dataclass(frozen=True, slots=True)
class Request:
    """What the panels of the dock say at the moment of a click.

    Attributes
    ----------
    image
        The movie.
    model
        Name or path of the model.
    folder
        OME-Zarr that masklets go into.
    """

    image: ImageInput
    model: str
    folder: Path

    @property
    def masklets_key(self) -> Hashable:
        """Which masklets it is about; another contrast makes no other ones."""
        return self.image.movie_key, self.model, self.folder


@dataclass(frozen=True, slots=True)
class Said:
    """What goes on, in words."""

    text: str


@dataclass(frozen=True, slots=True)
class ModelReady:
    """The model is loaded: its name, where it runs, in which numbers."""

    name: str
    device: str
    precision: str


@dataclass(frozen=True, slots=True)
class StoreReady:
    """Masklets are there to be shown: ``(T, Y, X)`` labels on disk."""

    request: Request
    array: Any


@dataclass(frozen=True, slots=True)
class FrameChanged:
    """The labels of a frame are new."""

    frame_index: int


Event = Said | ModelReady | StoreReady | FrameChanged | FrameDone


@dataclass(slots=True)
class _Loaded:
    name: str
    model: Sam2
    sha256: str


@dataclass(slots=True)
class _Movie:
    """An open movie, and who answers clicks on it."""

    image: ImageInput
    source: StackFrames
    answers: ClickAnswers


class TrackingEngine:
    """Answers clicks and tracks, for one dock.

    Parameters
    ----------
    tell
        Told in words how a download goes, from the worker thread.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._loaded: _Loaded | None = None
        self._movie: _Movie | None = None
        self._stores: dict[Hashable, OmeZarrLabelStore] = {}
        self._shown: Hashable = None

    def store_of(self, request: Request) -> OmeZarrLabelStore | None:
        """Return the masklets of a request, if they were opened."""
        return self._stores.get(request.masklets_key)

    # --- The verbs

    def prepare(self, request: Request) -> Iterator[Event]:
        """Load the model and open the movie, so that the first click is answered soon.

        Raises
        ------
        InputError, ModelError
            If one of them cannot be used.
        """
        loaded = self._loaded
        if loaded is None or loaded.name != request.model:
            yield Said(f"Loading the model {_short(request.model)} …")
            self._movie = None
            self._loaded = loaded = _load(request.model, self._on_download)
        movie = self._movie
        if movie is None or movie.image.movie_key != request.image.movie_key:
            source = request.image.open()
            predictor = _predictor(loaded.model, source)
            self._movie = _Movie(request.image, source, ClickAnswers(predictor))
            yield ModelReady(
                request.model, str(predictor.device), predictor.precision.name
            )
        elif movie.image != request.image:
            movie.image, movie.source = request.image, request.image.open()

    def show(self, request: Request) -> Iterator[Event]:
        """Say where masklets are that were opened before."""
        if request.masklets_key in self._stores:
            yield from self._open_store(request, ())

    def show_clicks(
        self,
        request: Request,
        frame_index: int,
        prompts: Sequence[FramePrompt],
        cleared: Sequence[int],
        is_wanted: Callable[[], bool],
    ) -> Iterator[Event]:
        """Put the masks of what was clicked on a frame into the masklets.

        Parameters
        ----------
        request
            What the panels say.
        frame_index
            Frame that was clicked on.
        prompts
            All that is said about each changed object there.
        cleared
            Objects whose last prompt there was taken back.
        is_wanted
            False as soon as somebody clicked again: the answer is dropped then.
        """
        yield from self.prepare(request)
        objects = [PromptedObject(one.object_id, (one,)) for one in prompts]
        yield from self._open_store(request, objects)
        if not is_wanted():
            return
        (_, movie), store = self._prepared(), self._stores[request.masklets_key]
        masks = ClickedMasks(store)
        for object_id in cleared:
            movie.answers.forget(object_id, frame_index)
        if cleared:
            masks.clear(frame_index, cleared)
        if prompts:
            step = movie.answers.answer(movie.source, frame_index, prompts)
            if not is_wanted():
                return
            store.add_objects(objects)
            masks.write(step)
        masks.commit()
        yield FrameChanged(frame_index)

    def remove_objects(
        self,
        request: Request,
        object_ids: Sequence[int],
        is_gone: Callable[[int], bool],
    ) -> Iterator[Event]:
        """Take objects out of all frames of the masklets.

        Parameters
        ----------
        request
            What the panels say.
        object_ids
            Objects without prompts.
        is_gone
            False for an object that was clicked on again since: it stays.
        """
        store, movie = self.store_of(request), self._movie
        gone = [object_id for object_id in object_ids if is_gone(object_id)]
        if store is None or movie is None or not gone:
            return
        for object_id in gone:
            movie.answers.forget(object_id)
        for frame_index in ClickedMasks(store).remove(gone):
            yield FrameChanged(frame_index)

    def track(
        self, request: Request, objects: Sequence[PromptedObject], direction: Direction
    ) -> Iterator[Event]:
        """Track objects through the movie; goes on where an equal run was stopped.

        Closing the generator keeps what was written.
        """
        yield from self.prepare(request)
        yield from self._open_store(request, objects)
        loaded, _ = self._prepared()
        source = request.image.open()
        predictor = _predictor(loaded.model, source)
        made_by = _provenance(loaded, source, predictor, objects, direction)
        with closing(PrefetchingFrameSource(source)) as ahead:
            store = self._stores[request.masklets_key]
            store.add_objects(objects)
            store.renew_provenance(made_by)
            plan = Plan(
                frames=FrameRange(0, source.frame_count),
                direction=direction,
                merge=MergePolicy.KEEP,
                key=made_by.plan_key,
            )
            session = Session(ahead, store, predictor, objects, has_foreign_labels=True)
            yield from session.propagate(plan)

    def reopen_masklets(self, request: Request) -> Iterator[Event]:
        """Prepare finished masklets for somebody who paints on them."""
        store = self.store_of(request)
        if store is not None:
            store.reopen()
        yield from ()

    # --- Steps

    def _open_store(
        self, request: Request, objects: Sequence[PromptedObject]
    ) -> Iterator[Event]:
        """Create the masklets, once; say so whenever they are others than before."""
        key = request.masklets_key
        if key not in self._stores:
            self._stores[key] = self._create_store(request, objects)
        if key != self._shown:
            self._shown = key
            yield StoreReady(request, self._stores[key].array)

    def _create_store(
        self, request: Request, objects: Sequence[PromptedObject]
    ) -> OmeZarrLabelStore:
        loaded, movie = self._prepared()
        if OmeZarrLabelStore.exists(request.folder):
            raise OutputError(
                f"{request.folder} holds masklets already: choose another folder"
            )
        predictor, source = movie.answers.predictor, movie.source
        return OmeZarrLabelStore.create(
            request.folder,
            frame_count=source.frame_count,
            frame_shape=source.frame_shape,
            logits_shape=_logits_shape(predictor),
            objects=objects,
            provenance=_provenance(loaded, source, predictor, objects, Direction.BOTH),
            calibration=source.calibration,
        )

    def _prepared(self) -> tuple[_Loaded, _Movie]:
        """Return what `prepare` prepared."""
        if self._loaded is None or self._movie is None:
            raise RuntimeError("prepare comes first")
        return self._loaded, self._movie

    def _on_download(self, done: int, total: int | None) -> None:
        share = f" of {total / 1e6:.0f}" if total else ""
        self._tell(f"Downloading the model: {done / 1e6:.0f}{share} MB …")


def _load(name: str, progress: Callable[[int, int | None], None]) -> _Loaded:
    """Load a model; torch comes with it.

    Raises
    ------
    ModelError
        If the model, or torch, cannot be used.
    """
    try:
        from napari_sam2.model.checkpoint import load_model, weights_sha256
    except (ImportError, RuntimeError) as error:
        # A torchvision of another build than torch fails with a RuntimeError.
        raise ModelError(
            f"torch cannot be used ({error}): install a matched pair with "
            "pip install --upgrade --force-reinstall torch torchvision"
        ) from error
    return _Loaded(name, load_model(name, progress=progress), weights_sha256(name))


def _predictor(model: Sam2, source: StackFrames) -> StreamingPredictor:
    from napari_sam2.tracking.predictor import StreamingPredictor

    return StreamingPredictor(
        model, frame_shape=source.frame_shape, frame_count=source.frame_count
    )


def _logits_shape(predictor: StreamingPredictor) -> tuple[int, int]:
    from napari_sam2.model.config import LOGIT_STRIDE

    side = predictor.network.geometry.image_size // LOGIT_STRIDE
    return side, side


def _provenance(
    loaded: _Loaded,
    source: StackFrames,
    predictor: StreamingPredictor,
    objects: Sequence[PromptedObject],
    direction: Direction,
) -> Provenance:
    import torch

    return Provenance(
        model=loaded.name,
        weights_sha256=loaded.sha256,
        image_size=predictor.network.geometry.image_size,
        device=str(predictor.device),
        precision=predictor.precision.name,
        threads=torch.get_num_threads(),
        prompts=document_of(objects, "masks")[0].model_dump(
            mode="json", exclude_none=True
        ),
        frames=dict(source.provenance),
        settings={"direction": str(direction), "merge": str(MergePolicy.KEEP)},
        plugin_version=__version__,
    )


def _short(model: str) -> str:
    return Path(model).name

"""What stays open between the verbs: the model, the movie, the masklets."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from napari_sam2.batch.tile_choice import AUTO
from napari_sam2.engine.events import (
    Busy,
    Event,
    ModelReady,
    Request,
    Said,
    StoreReady,
    Together,
)
from napari_sam2.engine.workspace.kept_frames import KeptFrames
from napari_sam2.engine.workspace.loading import (
    Loaded,
    Setup,
    cached_bytes,
    load,
    predictor_for,
    provenance,
    setup_for,
)
from napari_sam2.engine.workspace.object_sizes import ObjectSizes
from napari_sam2.engine.workspace.open_masklets import Masklets, Movie
from napari_sam2.engine.workspace.prompt_answers import Answers
from napari_sam2.errors import FolderTakenError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.movies.fingerprint import fingerprint_of, fingerprint_steps
from napari_sam2.prompts import FramePrompt
from napari_sam2.session.book.state import BookState

FRAME_BYTES = 2**27
"""Frames that were read lately and are kept."""


class Workspace:
    """Opens what a request names, once.

    Parameters
    ----------
    tell
        Told in words how a download goes, from the worker thread.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.loaded: Loaded | None = None
        self._movie: Movie | None = None
        self._sizes: tuple[Movie, ObjectSizes] | None = None
        self._masklets: dict[Hashable, Masklets] = {}
        self._shown: Hashable = None
        self._answered: Hashable = None

    @property
    def prepared(self) -> tuple[Loaded, Movie]:
        """What `prepare` prepared."""
        if self.loaded is None or self._movie is None:
            raise RuntimeError("prepare comes first")
        return self.loaded, self._movie

    @property
    def movie(self) -> Movie:
        """The movie that `prepare` opened."""
        return self.prepared[1]

    def has_movie(self, request: Request) -> bool:
        """Whether the request's movie and model are ready, and seen as it says."""
        loaded = self.loaded
        return (
            loaded is not None
            and loaded.name == request.model
            and self._is_seen(request)
        )

    def masklets(self, request: Request) -> Masklets | None:
        """Return the masklets of a request, if they were opened."""
        return self._masklets.get(request.masklets_key)

    def opened(self, request: Request) -> Masklets:
        """Return the masklets of a request, after `open_masklets`."""
        masklets = self.masklets(request)
        if masklets is None:
            raise RuntimeError("open_masklets comes first")
        return masklets

    def forget_answers(self) -> None:
        """Forget which anchors the answers remember; embeddings stay."""
        if self._movie is not None:
            self._movie.answers.forget_all()

    def prepare(self, request: Request) -> Iterator[Event]:
        """Load the model and open the movie.

        Raises
        ------
        InputError, ModelError
            If one of them cannot be used.
        """
        loaded = self.loaded
        if loaded is None or loaded.name != request.model:
            yield Busy(f"Loading the model {Path(request.model).name} …")
            self._movie = None
            self.loaded = loaded = load(request.model, self._on_download)
        if not self._is_seen(request):
            self._movie = movie = self._open_movie(loaded, request)
            predictor = movie.predictor
            device, precision = str(predictor.device), predictor.precision.name
            yield ModelReady(request.model, device, precision, loaded.trust)

    def open_masklets(self, request: Request, book: BookState) -> Iterator[Event]:
        """Create the masklets, once; say so whenever they are others than before.

        Tiles that follow the objects are as large as those of the book need.

        Raises
        ------
        FolderTakenError
            If the folder holds masklets of another session.
        """
        key = request.masklets_key
        if key not in self._masklets:
            self._settle_tiles(request, book)
            store = self._create_store(request)
            self._masklets[key] = Masklets(store)
            if store.remark is not None:
                yield Said(store.remark)
        yield from self.show(request)
        if key != self._answered:
            self._answered = key
            self.forget_answers()

    def show(self, request: Request) -> Iterator[Event]:
        """Say where masklets are that are open, unless they are shown already."""
        masklets = self.masklets(request)
        if masklets is not None and self._shown != request.masklets_key:
            self._shown = request.masklets_key
            store = masklets.store
            yield StoreReady(request, store.array.dtype, store.read_labels)

    def know_movie(
        self, request: Request, store: OmeZarrLabelStore, *, accepts: bool = False
    ) -> Generator[Event, None, str | None]:
        """See by a few frames whether masklets are of the request's movie.

        Each frame may take seconds: between two of them more urgent things are done.

        Parameters
        ----------
        accepts
            Whether a movie of other pixels is theirs from now on.

        Returns
        -------
        str or None
            What people should be told, where the movie was not known by its pixels.

        Raises
        ------
        OtherMovieError
            If they are of another movie.
        """
        hashes = {}
        with closing(request.image.open()) as frames:
            for frame_index, digest in fingerprint_steps(frames):
                hashes[frame_index] = digest
                yield Together(())
            fingerprint = fingerprint_of(frames, hashes)
        known, told = store.provenance, None
        if not accepts:
            told = known.check_movie(fingerprint, str(store.path))
        if accepts or known.fingerprint is None:
            store.renew_provenance(known.with_movie(fingerprint))
        return told

    def adopt(self, request: Request, store: OmeZarrLabelStore) -> Masklets:
        """Take a store that was opened from disk for the request's masklets."""
        masklets = Masklets(store)
        self._masklets[request.masklets_key] = masklets
        self._shown = None
        return masklets

    def forget(self, request: Request) -> None:
        """Let others write the masklets of a request; let go of them and the movie."""
        masklets = self._masklets.pop(request.masklets_key, None)
        if masklets is not None:
            masklets.store.close()
        movie = self._movie
        if movie is not None and movie.image.movie_key == request.image.movie_key:
            self._movie = None

    def close(self) -> None:
        """Let other processes write the masklets."""
        for masklets in self._masklets.values():
            masklets.store.close()

    def _is_seen(self, request: Request) -> bool:
        """See the open movie as a request says; tell if it is another one's.

        Most requests are the last one again, about which nothing is asked.
        """
        movie, masklets = self._movie, self.masklets(request)
        if movie is None:
            return False
        if movie.seen_for is not None:
            last, last_masklets = movie.seen_for
            if last is request and last_masklets is masklets:
                return True
        is_the_same = (
            movie.image.movie_key == request.image.movie_key
            and movie.device == request.device
            and movie.precision == request.precision
            and movie.setup == self._setup(request)
        )
        if is_the_same:
            movie.predictor.network.embeddings.max_bytes = cached_bytes(request)
            if movie.image != request.image:
                movie.image, movie.source = request.image, _frames(request)
            movie.seen_for = request, masklets
        return is_the_same

    def _setup(self, request: Request) -> Setup:
        """Return how a request's objects are followed with the model at hand."""
        loaded, masklets = self.loaded, self.masklets(request)
        if loaded is None:
            raise RuntimeError("the model comes first")
        made_by = None if masklets is None else masklets.made_by
        return setup_for(loaded, request, made_by)

    def first_answers(self, request: Request, prompt: FramePrompt) -> Answers:
        """Return who answers a prompt before there are masklets, as a click will be."""
        movie = self.movie
        if request.tiles != AUTO:
            return movie.answers
        return Answers(self._sizes_of(request).answering(prompt))

    def _sizes_of(self, request: Request) -> ObjectSizes:
        """Return who measures objects of the open movie, the same as before."""
        loaded, movie = self.prepared
        if self._sizes is None or self._sizes[0] is not movie:
            self._sizes = movie, ObjectSizes(loaded, request, movie)
        return self._sizes[1]

    def _settle_tiles(self, request: Request, book: BookState) -> None:
        """Let tiles be as large as the prompted objects need, if that was asked for."""
        loaded, movie = self.prepared
        if request.tiles != AUTO:
            return
        prompts = [one for state in book.objects for one in state.as_prompted().shown]
        side = self._sizes_of(request).fitting_side(prompts)
        self._sizes = None  # from here on all look equally closely
        tracker = replace(movie.setup.tracker, tiles=side)
        setup = replace(movie.setup, tracker=tracker)
        if setup != movie.setup:
            self._movie = self._open_movie(loaded, request, setup)

    def _open_movie(
        self, loaded: Loaded, request: Request, setup: Setup | None = None
    ) -> Movie:
        from napari_sam2.tracking.embedding_cache import EmbeddingCache

        source, setup = _frames(request), setup or self._setup(request)
        predictor = predictor_for(loaded, request, source, setup=setup)
        predictor.network.embeddings = EmbeddingCache(max_bytes=cached_bytes(request))
        self._answered = None
        return Movie(
            request.image,
            source,
            request.device,
            request.precision,
            setup,
            predictor,
            Answers(predictor),
        )

    def _create_store(self, request: Request) -> OmeZarrLabelStore:
        loaded, movie = self.prepared
        if OmeZarrLabelStore.exists(request.folder):
            raise FolderTakenError(request.folder)
        source, predictor = movie.source, movie.predictor
        return OmeZarrLabelStore.create(
            request.folder,
            frame_count=source.frame_count,
            frame_shape=source.frame_shape,
            logits_shape=predictor.logits_shape,
            objects=(),
            provenance=provenance(loaded, predictor, source, ()),
            calibration=source.calibration,
            writer=id(self),
            tiles=predictor.layout,
        )

    def _on_download(self, done: int, total: int | None) -> None:
        share = f" of {total / 1e6:.0f}" if total else ""
        self._tell(f"Downloading the model: {done / 1e6:.0f}{share} MB …")


def _frames(request: Request) -> KeptFrames:
    return KeptFrames(request.image.open(), FRAME_BYTES)

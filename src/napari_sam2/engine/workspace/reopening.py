"""Opening a session that was saved: its store, its book, its scores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zarr

from napari_sam2.batch.score_tables import tables_of
from napari_sam2.engine.events import Event, Request, Said, ScoresRead, SessionRead
from napari_sam2.engine.workspace.workspace import Workspace
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.storage import reading_errors
from napari_sam2.session.book.state import BookState


class Reopening:
    """Brings sessions back."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._opened: dict[Path, OmeZarrLabelStore] = {}

    def close(self) -> None:
        """Let other processes write what was read."""
        for store in self._opened.values():
            store.close()

    def read(self, folder: Path) -> Iterator[Event]:
        """Open a folder and say what session is in it.

        Raises
        ------
        OutputError
            If there is none, or it is damaged.
        """
        store = OmeZarrLabelStore.open(folder, writer=id(self._workspace))
        self._opened[folder] = store
        document = store.read_session()
        shape, image = tuple(store.array.shape), _image_of(store)
        region, tracker = store.layout.region, store.provenance.tracker
        calibration = store.calibration
        yield SessionRead(folder, document, calibration, shape, image, region, tracker)

    def adopt(
        self, request: Request, book: BookState, *, accepts_movie: bool = False
    ) -> Iterator[Event]:
        """Go on with the session that was read last from the request's folder.

        Raises
        ------
        OtherMovieError
            If it was made of another movie, and that is not accepted.
        """
        store = self._opened[request.folder]
        told = yield from self._workspace.know_movie(
            request, store, accepts=accepts_movie
        )
        del self._opened[request.folder]
        for text in filter(None, (told, store.remark)):
            yield Said(text)
        store.history.compact()
        masklets = self._workspace.adopt(request, store)
        masklets.adopt(book)
        yield from self._workspace.show(request)
        yield ScoresRead(tables_of(store, request.model))


def _image_of(store: OmeZarrLabelStore) -> Any:
    """Return the movie that lies in the same folder, ``(T, Y, X)``, if one does."""
    with reading_errors(store.path, "what lies beside the masklets"):
        node = zarr.open_group(store.path, mode="r").get("0")
    if isinstance(node, zarr.Array) and node.shape == store.array.shape:
        return node
    return None

"""What the window remembers of a session, besides the book."""

from __future__ import annotations

from collections.abc import Hashable

from napari_sam2.engine import Request
from napari_sam2.io.sessions.document import (
    InputMapping,
    ModelChoice,
    SessionDocument,
)
from napari_sam2.session.book.state import BookState
from napari_sam2.ui.movie.saved import save_input


def document_of(
    request: Request,
    book: BookState,
    place: tuple[int, int],
    names: dict[Hashable, str],
    *,
    live_repair: bool,
) -> SessionDocument:
    """Return a session as it is saved.

    Parameters
    ----------
    request
        Movie and model.
    book
        What people said.
    place
        The frame that is shown, and the current object.
    names
        Of all layers, by their ids.
    live_repair
        Whether corrections are followed at once.
    """
    image, (frame_index, object_id) = request.image, place
    axes = image.axes
    frame_axis = None if axes.frame_axis is None else axes.letters[axes.frame_axis]
    source = getattr(image.array, "store_path", None)
    mapping = InputMapping(
        source=None if source is None else str(source),
        layer=image.name,
        axes=axes.letters + ("S" if image.is_rgb else ""),
        frame_axis=frame_axis,
        fixed={axes.letters[axis]: at for axis, at in axes.fixed},
        intensity=image.mapping,
        calibration=image.calibration,
    )
    return SessionDocument(
        book=book,
        image=mapping,
        model=ModelChoice(name=request.model),
        frame_index=frame_index,
        selected=object_id if object_id in book else None,
        live_repair=live_repair,
        settings={"input": save_input(image, names)},
    )

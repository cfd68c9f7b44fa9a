"""What the window saves of a session, and how it brings one back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam2.engine import SessionRead
from napari_sam2.errors import InputError, NapariSam2Error
from napari_sam2.io.sessions.document import SessionDocument
from napari_sam2.session.book.state import BookState
from napari_sam2.ui.dock import session_memo
from napari_sam2.ui.movie.saved import restore_input

if TYPE_CHECKING:
    from napari_sam2.ui.dock.dock import TrackerDock


def document_of(dock: TrackerDock, book: BookState) -> SessionDocument:
    """Return the session as it is now, for the worker to save."""
    names = {layer.unique_id: str(layer.name) for layer in dock.viewer.layers}
    place = dock.frame_cursor.frame_index, dock.selection.current
    live_repair = dock.conductor.live_repair
    return session_memo.document_of(
        dock.request(), book, place, names, live_repair=live_repair
    )


def open_session(dock: TrackerDock, read: SessionRead) -> None:
    """Go on with a session that was found in a folder; say why if it cannot be."""
    document = read.document
    try:
        bring_movie(dock, read)
        if document.model is not None:
            dock.model_panel.choose(document.model.name)
        dock.use_folder(read.folder)
        request = dock.request()
    except NapariSam2Error as error:
        dock.status.complain(error)
        return
    dock.show_movie(request)
    dock.conductor.go_on_with(request, document.book)
    dock.frame_cursor.go_to(document.frame_index)
    dock.selection.go_on_with(document.selected or document.book.next_id)
    dock.track_panel.repair_box.setChecked(document.live_repair)
    dock.status.say(" ".join(("The session goes on.", *document.remarks)))


def bring_movie(dock: TrackerDock, read: SessionRead) -> None:
    """Choose the movie of a session; one that lies beside its masklets is opened.

    Raises
    ------
    InputError
        If the movie is not open.
    """
    document, viewer = read.document, dock.viewer
    name = document.image.layer or read.folder.stem
    is_open = any(str(layer.name) == name for layer in viewer.layers)
    if not is_open and read.image is not None:
        calibration = read.calibration
        viewer.add_image(
            read.image,
            name=name,
            scale=calibration.scale,
            translate=calibration.translation,
            axis_labels=(calibration.frame_axis, "y", "x"),
        )
    saved = document.settings.get("input")
    if isinstance(saved, dict):
        restore_input(dock.input_panel, saved)
    else:
        choose_layer(dock, name)
    shape = dock.input_panel.axes().frame_shape
    if read.image is None and read.shape[1:] != shape:
        raise InputError(
            f"the movie {name!r} has frames of {shape}, the session of "
            f"{read.shape[1:]}: open the movie that it was made of"
        )


def choose_layer(dock: TrackerDock, name: str) -> None:
    """Choose an image layer by its name; else the one that is chosen stays."""
    for layer in dock.input_panel.image_layers():
        if str(layer.name) == name:
            dock.input_panel.layer_combo.choose(layer)
            return
    dock.input_panel.axes()

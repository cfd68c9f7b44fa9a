"""Which signal makes what the line says untrue, and what it says then."""

from __future__ import annotations

from functools import partial

from napari_sam2.ui.dock.parts import TrackerParts
from napari_sam2.ui.widgets.status_line import DEEDS, Change

NO_MOVIE = "Open a movie: drop its file on the picture, or begin here:"
FIRST_CLICK = "Switch on the SAM 2 tool (W), and click on a cell."
NEXT_CLICK = "Click to correct, N for the next cell, G to track."


def connect_status(parts: TrackerParts) -> None:
    """Let the line drop what is not true any more, before others say what is."""
    conductor, status = parts.conductor, parts.status
    changes = {
        Change.MOVIE: (parts.input_panel.input_changed,),
        Change.MODEL: (parts.model_panel.model_changed,),
        Change.FOLDER: (parts.output_panel.folder_changed,),
        Change.EDIT: (conductor.editor.edited,),
        Change.SELECTION: (parts.selection.current_changed,),
        Change.BEGUN: (conductor.runs.started,),
        Change.ENDED: (conductor.runs.ended,),
        Change.IDLE: (conductor.worker.became_idle,),
    }
    for change, signals in changes.items():
        for signal in signals:
            signal.connect(partial(status.note, change))
            if change in DEEDS:
                signal.connect(parts.offer.hide)
    _connect_suggestions(parts)


def _connect_suggestions(parts: TrackerParts) -> None:
    """Say what can be done next where nothing else is to be said."""
    conductor, status = parts.conductor, parts.status

    def suggest(_changed: object = None) -> None:
        if parts.input_panel.layer is None:
            status.suggest(NO_MOVIE)
        elif conductor.book.has_prompts:
            status.suggest(NEXT_CLICK)
        else:
            status.suggest(FIRST_CLICK)

    conductor.book_settled.connect(suggest)
    parts.input_panel.input_changed.connect(suggest)
    suggest()

"""The sections of the dock: their order, what their headings say, when they fold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_sam2.session.book.state import BookState
from napari_sam2.ui.widgets.layout import lay_out_column
from napari_sam2.ui.widgets.section import Folds, Section

if TYPE_CHECKING:
    from napari_sam2.ui.dock.dock import TrackerDock


class DockSections(QObject):
    """Lays the dock's panels below each other, and folds what is settled.

    *Movie* folds by itself once there is a prompt: it has been chosen then, and on a
    small screen the objects and *Track* come into sight. Whoever opens or folds a
    section decides about it from then on.

    Parameters
    ----------
    dock
        Whose panels; they exist already.
    """

    def __init__(self, dock: TrackerDock) -> None:
        super().__init__(dock)
        self._dock = dock
        self.movie = Section(dock.input_panel, is_open=True)
        self.model = Section(dock.model_panel, is_open=False)
        self.sections = {
            "movie": self.movie,
            "model": self.model,
            "clicks": Section(dock.prompt_panel, is_open=True),
            "sources": Section(dock.prompt_sources, is_open=False),
            "objects": Section(dock.object_panel, is_open=True),
            "track": Section(dock.track_panel, is_open=True),
            "masklets": Section(dock.output_panel, is_open=True),
        }
        self.folds = Folds(self.sections)
        self._is_settled = False
        lay_out_column(dock, dock.status, tuple(self.sections.values()))
        dock.input_panel.input_changed.connect(self._show_movie)
        dock.model_panel.model_changed.connect(self._show_model)
        dock.conductor.book_changed.connect(self._on_book_changed)
        dock.conductor.failed.connect(self._on_failed)
        self._show_movie()
        self._show_model()

    def _show_movie(self) -> None:
        layer = self._dock.input_panel.layer
        self.movie.show_summary("" if layer is None else str(layer.name))

    def _show_model(self) -> None:
        self.model.show_summary(str(self._dock.model_panel.combo.currentText()))

    def _on_book_changed(self, book: BookState) -> None:
        is_settled = any(one.prompts for one in book.objects)
        if is_settled and not self._is_settled:
            self.folds.propose("movie", is_open=False)
        self._is_settled = is_settled

    def _on_failed(self, _error: Exception) -> None:
        """Show what is wrong with the model, and its remedy."""
        if not self._dock.model_panel.problem.isHidden():
            self.model.set_open(True)

"""The sections of the dock: their order, what their headings say, when they fold."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import QObject, Qt
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_sam2.session.book.state import BookState
from napari_sam2.ui.dock.parts import TrackerParts
from napari_sam2.ui.widgets.layout import lay_out_column
from napari_sam2.ui.widgets.section import Folds, Section


class DockSections(QObject):
    """Lays the dock's panels below each other, and folds what is settled.

    *Movie* folds by itself once there is a prompt: it has been chosen then, and on a
    small screen the objects and *Track* come into sight. Whoever opens or folds a
    section decides about it from then on.

    Parameters
    ----------
    way_back
        Stands beside the line, while there is something to bring back.
    """

    def __init__(self, parts: TrackerParts, way_back: QWidget, dock: QWidget) -> None:
        super().__init__(dock)
        self._parts = parts
        self.movie = Section(parts.input_panel, is_open=True)
        self.model = Section(parts.model_panel, is_open=False)
        self.sections = {
            "movie": self.movie,
            "model": self.model,
            "clicks": Section(parts.prompt_panel, is_open=True),
            "sources": Section(parts.prompt_sources, is_open=False),
            "everything": Section(parts.automatic_panel, is_open=False),
            "objects": Section(parts.object_panel, is_open=True),
            "track": Section(parts.track_panel, is_open=True),
            "volume": Section(parts.volume_panel, is_open=False),
            "masklets": Section(parts.output_panel, is_open=True),
        }
        self.folds = Folds(self.sections)
        self._is_settled = False
        head = QWidget()
        column = QVBoxLayout(head)
        column.setContentsMargins(0, 0, 0, 0)
        line = QHBoxLayout()
        line.addWidget(parts.status, 1)
        for button in (way_back, parts.help_button):
            line.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(line)
        column.addWidget(parts.beginning)
        column.addWidget(parts.offer)
        column.addWidget(parts.run_bar)
        self._column = lay_out_column(dock, head, tuple(self.sections.values()))
        parts.input_panel.input_changed.connect(self._show_movie)
        parts.input_panel.asked.connect(partial(self.movie.set_open, True))
        parts.model_panel.model_changed.connect(self._show_model)
        parts.conductor.book_settled.connect(self._on_book_settled)
        parts.conductor.failed.connect(self._on_failed)
        self._show_movie()
        self._show_model()

    def _show_movie(self) -> None:
        layer = self._parts.input_panel.layer
        self.movie.show_summary("" if layer is None else str(layer.name))
        self._parts.beginning.setVisible(layer is None)
        self._parts.run_bar.setVisible(layer is not None)

    def _show_model(self) -> None:
        self.model.show_summary(str(self._parts.model_panel.combo.currentText()))

    def _on_book_settled(self, book: BookState) -> None:
        if book.has_prompts and not self._is_settled:
            self._column.keep_in_place(
                self.sections["clicks"],
                partial(self.folds.propose, "movie", is_open=False),
            )
        self._is_settled = book.has_prompts

    def _on_failed(self, _error: Exception) -> None:
        """Show what is wrong with the model, and its remedy."""
        if not self._parts.model_panel.problem.isHidden():
            self.model.set_open(True)

"""*Save prompts …*: what was said goes into a file, for another movie."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_info
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QFileDialog

from napari_sam2.engine.jobs import Job, Priority
from napari_sam2.errors import NapariSam2Error, OutputError
from napari_sam2.ui.prompts.from_files import SavedPrompts, prompts_of
from napari_sam2.ui.widgets.folders import short_path

if TYPE_CHECKING:
    from napari_sam2.ui.dock.dock import TrackerDock

SUFFIX = ".json"
FILES = f"Prompts (*{SUFFIX})"


class PromptSaving(QObject):
    """Asks for a file, and lets the worker write the prompts of the book.

    Parameters
    ----------
    dock
        Whose book.
    """

    def __init__(self, dock: TrackerDock) -> None:
        super().__init__(dock)
        self._dock = dock
        dock.prompt_sources.save_requested.connect(self._on_save_requested)

    def _on_save_requested(self) -> None:
        dock = self._dock
        try:
            objects = prompts_of(dock.conductor.book)
            # Replacing a file is asked about by the dialog.
            answer, _ = QFileDialog.getSaveFileName(dock, "Save prompts", "", FILES)
            if not answer:
                return
            saved = SavedPrompts(objects, json_path(answer))
        except NapariSam2Error as error:
            dock.status.complain(error)
            return
        job = Job(
            partial(_written, saved),
            self._on_written,
            dock.status.complain,
            priority=Priority.EDIT,
        )
        dock.conductor.worker.submit(job)

    def _on_written(self, saved: object) -> None:
        if isinstance(saved, SavedPrompts):
            text = saved_text(saved)
            self._dock.status.say(text)
            show_info(text)


def json_path(answer: str) -> Path:
    """Return the path that somebody chose, with the suffix of prompts files.

    Raises
    ------
    OutputError
        If a file lies at the path with the suffix, which nobody was asked about.
    """
    path = Path(answer)
    if path.suffix.lower() == SUFFIX:
        return path
    path = path.with_name(path.name + SUFFIX)
    if path.exists():
        raise OutputError(
            f"{path} exists: to replace it, choose it by its whole name, with {SUFFIX}"
        )
    return path


def saved_text(saved: SavedPrompts) -> str:
    """Say what was written, and where."""
    count = sum(bool(one.prompts) for one in saved.objects)
    things = f"{count} object{'' if count == 1 else 's'}"
    text = f"The prompts of {things} are saved to {short_path(saved.path)}."
    if saved.masks is not None:
        text += f" Masks lie in {saved.masks.name} beside it: keep them together."
    return text


def _written(saved: SavedPrompts) -> Iterator[SavedPrompts]:
    saved.write()
    yield saved

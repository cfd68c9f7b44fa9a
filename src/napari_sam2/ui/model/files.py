"""Looking for models, fetching and checking them, in a thread of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from qtpy.QtCore import QObject

from napari_sam2.engine.jobs import Job
from napari_sam2.model.checkpoints.download import DownloadStep, download_steps
from napari_sam2.model.checkpoints.own_models import OwnModel, free_name, own_models
from napari_sam2.ui.controller.worker import Worker
from napari_sam2.ui.model.devices import Device, found_devices
from napari_sam2.ui.model.panel import ModelPanel
from napari_sam2.ui.model.view import ModelState, look_up_model, problem_of

USUAL_NAME = "my-cells"


@dataclass(frozen=True, slots=True)
class ModelsListed:
    """Own models, and a name that a new one could have."""

    models: tuple[OwnModel, ...]
    free_name: str


def list_models() -> Iterator[ModelsListed]:
    """Look for own models."""
    yield ModelsListed(tuple(own_models()), free_name(USUAL_NAME))


class ModelFiles(QObject):
    """Answers what the model panel asks for."""

    def __init__(
        self, panel: ModelPanel, complain: Callable[[Exception], None], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._panel = panel
        self._complain = complain
        # Downloads last long: clicks are answered meanwhile, by the other worker.
        self._worker = Worker(self)
        self._download: Job | None = None
        panel.state_requested.connect(self._on_state_requested)
        panel.check_requested.connect(self._on_check_requested)
        panel.download_requested.connect(self._on_download_requested)
        panel.cancel_requested.connect(self._on_cancel_requested)
        panel.devices_requested.connect(self._on_devices_requested)
        panel.own_models_requested.connect(self._on_own_models_requested)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is looked for."""
        return self._worker.is_idle

    def close(self) -> None:
        """Let nothing begin any more."""
        self._worker.close()

    def _on_state_requested(self, name: str) -> None:
        self._ask(partial(_looked_up, name, check=False), name)

    def _on_check_requested(self, name: str) -> None:
        self._ask(partial(_looked_up, name, check=True), name)

    def _on_devices_requested(self) -> None:
        self._ask(_devices, self._panel.model)

    def _on_own_models_requested(self) -> None:
        self._ask(list_models, self._panel.model)

    def _on_download_requested(self, name: str) -> None:
        self._download = self._ask(
            partial(download_steps, name), name, partial(self._on_downloaded, name)
        )

    def _on_cancel_requested(self) -> None:
        if self._download is not None:
            self._download.cancel()

    def _on_downloaded(self, name: str, is_done: bool) -> None:
        was_cancelled = self._download is not None and self._download.is_cancelled
        self._download = None
        self._panel.end_download(
            "Stopped; it goes on from here." if was_cancelled else ""
        )
        if is_done:
            self._on_state_requested(name)

    def _ask(
        self,
        steps: Callable[[], Iterator[object]],
        name: str,
        finish: Callable[[bool], None] = lambda _is_done: None,
    ) -> Job:
        job = Job(steps, self._on_item, partial(self._on_error, name), finish)
        self._worker.submit(job)
        return job

    def _on_item(self, item: object) -> None:
        if isinstance(item, ModelState):
            self._panel.show_model_state(item)
        elif isinstance(item, DownloadStep):
            self._panel.show_download(item)
        elif isinstance(item, ModelsListed):
            self._panel.combo.show_own_models(item.models)
        elif isinstance(item, tuple):
            self._panel.devices.device_combo.show_devices(item)

    def _on_error(self, name: str, error: Exception) -> None:
        self._panel.problem.show_problem(problem_of(error, name))
        self._complain(error)


def _looked_up(name: str, *, check: bool) -> Iterator[ModelState]:
    yield look_up_model(name, check=check)


def _devices() -> Iterator[tuple[Device, ...]]:
    yield found_devices()

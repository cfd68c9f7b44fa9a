from unittest.mock import MagicMock

import numpy as np
from napari.components import ViewerModel
from qtpy.QtWidgets import QFileDialog

from napari_sam2.ui.prompts.sources_panel import PromptSources
from napari_sam2.ui.widgets.connections import Connections


def test_only_layers_of_others_are_offered_and_asked_for(qtbot, monkeypatch):
    viewer, connections = ViewerModel(), Connections()
    panel = PromptSources(viewer, connections)
    qtbot.addWidget(panel)
    asked = MagicMock()
    panel.shapes_requested.connect(asked.shapes)
    panel.labels_requested.connect(asked.labels)
    panel.file_requested.connect(asked.file)
    ours = {"napari-sam2": "x.zarr"}
    viewer.add_labels(np.zeros((4, 4), int), name="masklets", metadata=ours)
    viewer.add_shapes(ndim=2, name="boxes", metadata={"napari-sam2 view": "boxes"})
    assert not panel.labels_button.isEnabled()
    assert not panel.shapes_button.isEnabled()
    labels = viewer.add_labels(np.zeros((4, 4), int), name="Cellpose")
    shapes = viewer.add_shapes(ndim=2, name="Lasso")
    panel.labels_combo.choose(labels)
    panel.shapes_combo.choose(shapes)
    assert panel.every_nth is None
    panel.step_spin.setValue(5)
    assert (panel.every_nth, panel.labels.name, panel.shapes.name) == (
        5,
        "Cellpose",
        "Lasso",
    )
    panel.labels_button.click()
    panel.shapes_button.click()
    asked.labels.assert_called_once()
    asked.shapes.assert_called_once()
    answers = iter([("", ""), ("p.json", "")])
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: next(answers))
    panel.file_button.click()
    asked.file.assert_not_called()
    panel.file_button.click()
    asked.file.assert_called_once_with("p.json")
    connections.close()

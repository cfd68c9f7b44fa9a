"""The model panel and its sentences; no torch, no file, no network."""

import builtins
import sys

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_sam2.errors import ModelError
from napari_sam2.interfaces import TrackerSettings
from napari_sam2.model.checkpoints.checkpoint import load_model
from napari_sam2.model.checkpoints.download import DownloadStep
from napari_sam2.model.checkpoints.registry import REGISTRY
from napari_sam2.tracking.hard_cases.names import HardCaseName
from napari_sam2.ui.model.devices import Device, found_devices, import_torch
from napari_sam2.ui.model.hard_cases import SEEN
from napari_sam2.ui.model.panel import ModelPanel
from napari_sam2.ui.model.view import (
    ModelChoice,
    ModelState,
    Problem,
    budget_of,
    budget_text,
    download_text,
    look_up_model,
    problem_of,
)
from napari_sam2.ui.widgets.preferences import Preferences


@pytest.fixture
def panel(qtbot):
    shown = ModelPanel()
    qtbot.addWidget(shown)
    shown.show()
    return shown


def test_it_begins_with_what_is_preferred(qtbot):
    panel = ModelPanel(
        Preferences("sam2.1_tiny", device="cuda", precision="fp32", memory_gb=2.5)
    )
    qtbot.addWidget(panel)
    assert panel.choice == ModelChoice("sam2.1_tiny", "cuda", "fp32", 2_500_000_000)


def test_a_budget_becomes_a_number_of_objects(panel, qtbot):
    assert "free memory" in panel.budget.text()
    with qtbot.waitSignal(panel.choice_changed):
        panel.devices.memory_spin.setValue(4)
    panel.show_objects(20)
    plan = budget_of(load_model("nano").config, 0, 4_000_000_000)
    assert f"up to {plan.objects:,} objects" in panel.budget.text()
    assert f"20 objects, {plan.at_once(20)} are" in panel.budget.text()
    panel.choose("sam2.1_large")
    large = panel.choice.budget
    assert large.model_bytes == REGISTRY["sam2.1_large"].bytes
    assert large.at_once(20) < plan.at_once(20)
    panel.devices.memory_spin.setValue(0.5)
    assert "too little" in panel.budget.text()
    panel.devices.memory_spin.setValue(0)
    assert panel.choice.budget is None


def test_a_budget_keeps_its_bytes_in_another_unit(panel):
    panel.devices.memory_spin.setValue(2.5)
    panel.devices.unit_combo.setCurrentIndex(1)
    assert panel.devices.memory_spin.value() == 2500
    assert panel.choice.memory_bytes == 2_500_000_000


def test_small_cells_are_looked_at_as_it_is_chosen(panel, qtbot):
    combo = panel.tile_combo
    assert panel.choice.tiles is None
    with qtbot.waitSignals((panel.choice_changed, panel.tiles_changed)):
        qtbot.keyClick(combo, Qt.Key.Key_Down)
    assert panel.choice.tiles == "auto"
    qtbot.keyClick(combo, Qt.Key.Key_End)
    assert panel.choice.tiles == "native"
    combo.choose(512)  # of a run of the command line
    assert panel.choice.tiles == 512
    assert combo.currentText() == "tiles of 512 pixels"
    panel.set_frozen(True)
    assert not combo.isEnabled()


def test_too_many_objects_for_a_budget_are_warned_of():
    choice = ModelChoice("sam2.1_tiny", memory_bytes=10**9)
    assert budget_text(choice, choice.budget.objects + 1).startswith("⚠")
    assert not budget_text(choice, choice.budget.objects).startswith("⚠")


def test_devices_are_asked_for_when_somebody_wants_to_choose(panel, qtbot):
    combo = panel.devices.device_combo
    with qtbot.waitSignal(panel.devices_requested):
        combo.showPopup()
    combo.hidePopup()
    with qtbot.assertNotEmitted(panel.devices_requested):
        combo.showPopup()  # once is enough
    combo.hidePopup()
    combo.choose("cpu")
    panel.devices.device_combo.show_devices(
        (Device("auto", "automatic"), Device("cuda:0", "card"))
    )
    assert panel.choice.device == "cpu"  # a choice is never changed silently
    combo.choose("cuda:0")
    assert panel.choice.device == "cuda:0"


def test_torch_tells_devices():
    assert [device.name for device in found_devices()][:2] == ["auto", "cpu"]


@pytest.mark.parametrize(
    "error", [ModuleNotFoundError("No module named 'torchvision'"), RuntimeError("nms")]
)
def test_a_broken_torch_comes_with_its_remedy(panel, monkeypatch, error):
    original = builtins.__import__

    def broken(name, *rest):
        if name == "torchvision":
            raise error
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(ModelError) as caught:
        import_torch()
    panel.problem.show_problem(problem_of(caught.value, "nano"))
    assert panel.problem.isVisible()
    assert str(error) in panel.problem.sentence.text()
    assert sys.executable in panel.problem.command.text()
    panel.problem.copy_button.click()
    assert QApplication.clipboard().text().endswith("torch torchvision")
    panel.problem.show_problem(None)
    assert not panel.problem.isVisible()


def test_weights_that_do_not_come_are_named(panel):
    problem = problem_of(ModelError("cannot reach it"), "sam2.1_tiny")
    assert problem.command == "napari-sam2 models download sam2.1_tiny"
    assert problem_of(ModelError("broken"), "/data/mine.pt") == Problem("broken")


def test_a_download_shows_how_far_it_is_and_can_be_stopped(panel, qtbot):
    panel.choose("sam2.1_tiny")
    panel.show_model_state(look_up_model("sam2.1_tiny"))
    assert "Not on this machine" in panel.state.text()
    with qtbot.waitSignal(panel.download_requested) as asked:
        panel.file_button.click()
    assert asked.args == ["sam2.1_tiny"]
    panel.show_download(DownloadStep("downloading", 39_000_000, 156_000_000))
    assert panel.bar.value() == panel.bar.maximum() // 4
    assert not panel.file_button.isVisible()
    with qtbot.waitSignal(panel.cancel_requested):
        panel.cancel_button.click()
    assert not panel.cancel_button.isEnabled()  # once is enough
    panel.end_download("Stopped; it goes on from there.")
    assert not panel.bar.isVisible()
    assert panel.file_button.isVisible()
    panel.show_download(DownloadStep("downloading", 39_000_000, 156_000_000))
    assert panel.cancel_button.isEnabled()


def test_downloads_are_told_in_words():
    step = DownloadStep("downloading", 84_000_000, 184_000_000)
    assert download_text(step, 2e6) == "84 MB of 184 MB, 2.0 MB/s, 0:50 left"
    assert download_text(step, None) == "84 MB of 184 MB"
    assert "waiting" in download_text(DownloadStep("waiting", 0, None), None)


def test_it_says_how_large_frames_are_for_the_model():
    for name, side in (("nano", 320), ("sam2.1_small", 1024)):
        assert f"Sees frames as {side}² pixels" in look_up_model(name).sentence


def test_a_file_that_is_here_can_be_checked(panel, qtbot):
    panel.choose("sam2.1_tiny")
    panel.show_model_state(ModelState("sam2.1_small", True, "of another model"))
    assert panel.state.text() == ""
    panel.show_model_state(ModelState("sam2.1_tiny", True, "On this machine."))
    with qtbot.waitSignal(panel.check_requested):
        panel.file_button.click()
    assert "bundled" in look_up_model("nano", check=True).sentence


def test_cells_touch_as_the_model_says_until_somebody_does(panel, qtbot):
    cases = panel.hard_cases
    panel.show_model_state(ModelState("nano", True, "", one_component=True))
    assert cases.touching_box.isChecked()
    assert panel.choice.tracker == TrackerSettings()
    with qtbot.waitSignal(panel.choice_changed):
        qtbot.keyClick(cases.touching_box, Qt.Key.Key_Space)
    panel.show_model_state(ModelState("nano", True, "", one_component=True))
    assert panel.choice.tracker == TrackerSettings(one_component=False)
    cases.choose(TrackerSettings(hard_cases=("stage-jumps",)))
    panel.show_model_state(ModelState("nano", True, ""))
    assert [box.isChecked() for box in cases.boxes] == [False, True, False]


def test_tiles_and_hard_cases_exclude_each_other(panel, qtbot):
    """The tracker refuses them together, so the window does not offer them."""
    case, other = panel.hard_cases.case_boxes.values()
    tiles = panel.tile_combo
    qtbot.keyClick(case, Qt.Key.Key_Space)
    assert not tiles.isEnabled()
    assert "tick" in tiles.toolTip()
    qtbot.keyClick(case, Qt.Key.Key_Space)
    qtbot.keyClick(tiles, Qt.Key.Key_End)
    assert not case.isEnabled()
    assert not other.isEnabled()
    assert "whole frames" in case.toolTip()
    assert panel.hard_cases.touching_box.isEnabled()
    panel.set_frozen(True)
    panel.set_frozen(False)
    assert tiles.isEnabled()
    assert not case.isEnabled()
    qtbot.keyClick(tiles, Qt.Key.Key_Home)
    assert case.isEnabled()


def test_each_case_has_a_box():
    assert list(SEEN) == list(HardCaseName)


def test_nothing_can_be_changed_while_something_is_tracked(panel):
    panel.set_frozen(True)
    assert not panel.combo.isEnabled()
    assert not panel.devices.memory_spin.isEnabled()
    assert not any(box.isEnabled() for box in panel.hard_cases.boxes)
    panel.set_frozen(False)
    assert panel.devices.device_combo.isEnabled()

"""Preferences: what the manifest says, what napari keeps, what the plugin reads."""

from dataclasses import asdict
from pathlib import Path

import pytest
from npe2 import PluginManifest

import napari_sam2
from napari_sam2.model.checkpoints.registry import DEFAULT_MODEL, REGISTRY
from napari_sam2.ui.widgets.preferences import Preferences, read_preferences

MANIFEST = Path(napari_sam2.__file__).with_name("napari.yaml")


@pytest.fixture
def settings(plugin_settings, npe2pm):
    """The settings that napari keeps for the plugin, in a folder of the test."""
    from napari.settings import get_plugin_settings

    npe2pm.register(PluginManifest.from_file(MANIFEST))
    return get_plugin_settings("napari-sam2")


def test_the_manifest_has_our_names_and_defaults(settings):
    shown = {}
    for category in settings.model_dump().values():
        shown |= category
    assert shown == asdict(Preferences())
    assert read_preferences() == Preferences()


def test_what_a_person_sets_is_read(settings):
    settings.model.model = "sam2.1_small"
    settings.model.memory_gb = 2.5
    settings.tracking.live_repair = False
    settings.session.folder = "~/elsewhere"
    read = read_preferences()
    assert (read.model, read.live_repair) == ("sam2.1_small", False)
    assert read.memory_bytes == 2_500_000_000
    assert read.session_folder == Path.home() / "elsewhere"


@pytest.mark.parametrize(
    ("category", "name", "value"),
    [("model", "model", "sam3"), ("tracking", "warm_radius", -1)],
)
def test_napari_refuses_what_has_no_meaning(settings, category, name, value):
    with pytest.raises(ValueError, match=name):
        setattr(getattr(settings, category), name, value)


def test_models_that_can_be_preferred_are_known(settings):
    schema = type(settings.model).model_json_schema()
    names = schema["properties"]["model"]["enum"]
    assert names[0] == DEFAULT_MODEL
    assert set(names) < set(REGISTRY)


def test_without_napari_that_keeps_them_defaults_hold(plugin_settings, monkeypatch):
    assert read_preferences() == Preferences()  # the plugin is not registered
    import napari.settings

    monkeypatch.delattr(napari.settings, "get_plugin_settings")
    assert read_preferences() == Preferences()
    assert Preferences().memory_bytes is None

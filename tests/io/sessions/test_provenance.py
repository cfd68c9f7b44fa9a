"""How objects are followed is written and read in one place, as all versions did."""

import pytest
from pydantic import ValidationError

from napari_sam2.interfaces import TrackerSettings
from napari_sam2.io.sessions.provenance import Provenance, settings_entry


def made_by(settings):
    return Provenance(
        model="nano",
        weights_sha256="a" * 64,
        device="cpu",
        precision="fp32",
        threads=1,
        settings=settings,
        plugin_version="0",
    )


@pytest.mark.parametrize(
    "tracker",
    [
        TrackerSettings(one_component=False),
        TrackerSettings(raw_masks=True, one_component=True, tiles=256),
        TrackerSettings(
            one_component=False, region=(1, 2, 30, 40), hard_cases=("stage-jumps",)
        ),
    ],
)
def test_what_was_written_is_read(tracker):
    settings = {"direction": "both", **settings_entry(tracker)}
    assert made_by(settings).tracker == tracker


def test_what_is_as_always_is_written_as_earlier_versions_did():
    tracker = TrackerSettings(one_component=False)
    assert settings_entry(tracker) == {"raw_masks": False}


def test_a_run_that_names_no_choice_was_not_cut_down():
    settings = {"frames": None, "direction": "both", "merge": None, "raw_masks": False}
    assert made_by(settings).tracker == TrackerSettings(one_component=False)


def test_what_was_imported_leaves_the_choice_to_the_weights():
    assert made_by({"imported": "tracks.csv"}).tracker.one_component is None


def test_settings_that_say_nothing_are_refused_when_they_are_read():
    with pytest.raises(ValidationError):
        made_by({"tiles": "many"})

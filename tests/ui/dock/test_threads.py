"""The network never runs in the thread of the window: with the real model."""

import functools
import threading

import pytest

from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.tracking.predictor import StreamingPredictor

VERBS = ("step", "preview", "replay")


@pytest.fixture
def where_torch_ran(monkeypatch):
    """The threads in which the predictor was asked something."""
    threads = []

    def watched(verb):
        original = getattr(StreamingPredictor, verb)

        @functools.wraps(original)
        def asked(*arguments, **options):
            threads.append(threading.current_thread())
            return original(*arguments, **options)

        return asked

    for verb in VERBS:
        monkeypatch.setattr(StreamingPredictor, verb, watched(verb))
    return threads


def test_clicks_previews_and_tracking_run_in_the_worker(
    open_dock, answered, where_torch_ran
):
    _, dock = open_dock(model="nano")
    dock.conductor.set_prompt(FramePrompt(1, 0, (PointPrompt(40, 50),)))
    answered(dock)
    dock.conductor.hover(0, FramePrompt(2, 0, (PointPrompt(20, 30),)))
    answered(dock)
    asked = len(where_torch_ran)
    assert asked >= 2
    dock.run_bar.track_button.click()
    answered(dock)
    assert len(where_torch_ran) > asked
    assert threading.main_thread() not in where_torch_ran

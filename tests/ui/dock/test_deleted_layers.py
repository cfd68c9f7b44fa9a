"""Deleting the layer of a movie frees it, and what was known of its masklets."""

import gc
import weakref

import numpy as np
import pytest
from filelock import FileLock
from tests.engine.engine_steps import click


@pytest.fixture
def without(open_dock, answered, stack):
    """Return a function that tracks in a movie, deletes its layer, and what was."""

    def deleted(before_it_goes=lambda _viewer: None):
        movie = stack.copy()
        viewer, dock = open_dock(movie)
        dock.conductor.set_prompt(click(1, 0, (30, 40)))
        answered(dock)
        dock.run_bar.track_button.click()  # which freezes the input
        answered(dock)
        kept = {
            "the movie": weakref.ref(movie),
            "the layer": weakref.ref(viewer.layers["movie"].__wrapped__),
            "what people said": weakref.ref(dock.conductor.editor.shown.book),
        }
        before_it_goes(viewer)
        viewer.layers.remove("movie")
        answered(dock)
        return viewer, dock, kept

    return deleted


def test_a_movie_is_freed_with_its_layer(without, answered):
    _, dock, kept = without()
    gc.collect()
    assert [name for name, kept_one in kept.items() if kept_one() is not None] == []
    assert dock.conductor.book.objects == ()


@pytest.mark.parametrize("is_all", [False, True])
def test_deleting_the_movie_while_it_is_tracked_is_no_error(
    open_dock, answered, qtbot, is_all
):
    viewer, dock = open_dock()
    dock.conductor.set_prompt(click(1, 0, (30, 40)))
    answered(dock)
    failed = []
    dock.conductor.failed.connect(failed.append)
    dock.run_bar.track_button.click()
    qtbot.waitUntil(lambda: dock.run_bar.bar.value() > 0)
    if is_all:
        viewer.layers.clear()
    else:
        viewer.layers.remove("movie")
    answered(dock)
    assert failed == []
    assert "the movie is gone" in dock.status.text()
    panel = dock.timeline_panel
    qtbot.waitUntil(
        lambda: not panel._tables.object_ids and panel.count_label.text() == ""
    )
    dock.run_bar.track_button.click()
    assert "open one first" in dock.status.text()


def test_another_movie_goes_on_when_one_is_freed(without, stack):
    _, dock, kept = without(
        lambda viewer: viewer.add_image(
            stack + 1, name="second", axis_labels=("t", "y", "x")
        )
    )
    gc.collect()
    assert kept["the movie"]() is None
    assert dock.input_panel.layer.name == "second"
    assert [one.anchors for one in dock.conductor.book.objects] == [(0,)]


def test_masklets_of_a_freed_movie_are_left_to_whoever_wants_them(without, qtbot):
    viewer, dock, _ = without()
    (lock,) = dock.output_panel.folder.rglob("writing.lock")
    with FileLock(lock, timeout=60):
        pass
    labels = viewer.layers["movie masklets"]
    assert not labels.editable
    assert np.asarray(labels.data[3]).any()  # not seen before: read from disk
    frees = weakref.ref(labels.__wrapped__)
    del labels
    viewer.layers.remove("movie masklets")
    qtbot.wait(10)  # the event loop deletes what napari's controls were
    gc.collect()
    assert frees() is None

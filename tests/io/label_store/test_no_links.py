"""exFAT disks and some network shares give a file no second name: all works there."""

import errno
import os

import numpy as np
import pytest
from tests.io.fake_run import FRAME_SHAPE

from napari_sam2.io.label_store.export import PlainLabels, write_labels
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.ome_zarr.embedded_image import embed_image
from napari_sam2.session.book.state import ObjectState


@pytest.fixture(autouse=True)
def no_links(monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "symlink", refuse)


@pytest.mark.parametrize("has_image", [False, True])
def test_a_run_is_written_undone_and_resumed(
    tmp_path, new_store, fake_run, calibration, has_image
):
    path = tmp_path / "x.zarr"
    if has_image:
        frames = [np.zeros(FRAME_SHAPE, np.uint8)] * fake_run.frame_count
        embed_image(path, frames, frame_count=len(frames), calibration=calibration)
    store = new_store(path)
    store.write(fake_run.result(3))
    store.write_anchor(fake_run.anchor(3))
    store.commit(fake_run.progress(4), fake_run.snapshot(1))
    book = store.read_session().book
    store.history.begin("edit", book, book.with_objects([ObjectState(9)]))
    store.write(fake_run.result(5))
    assert store.history.undo().frames == (5,)
    store.close()
    again = OmeZarrLabelStore.open_for_resume(path, store.provenance)
    np.testing.assert_array_equal(again.read_labels(3), fake_run.result(3).labels)
    assert not again.read_labels(5).any()
    again.finish()
    again.close()
    new_store(path, overwrite=True).close()


def test_labels_are_saved(tmp_path):
    labels = PlainLabels(np.ones((2, 8, 9), np.uint8))
    write_labels(tmp_path / "l.zarr", "mine", labels)
    assert (tmp_path / "l.zarr/labels/mine/0").is_dir()

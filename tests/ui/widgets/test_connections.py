"""Closing what a dock is made of."""

import pytest

from napari_sam2.ui.widgets.connections import close_all


class Part:
    def __init__(self, name, closed, error=None):
        self.name, self.closed, self.error = name, closed, error

    def close(self):
        self.closed.append(self.name)
        if self.error is not None:
            raise self.error


def test_what_holds_the_lock_is_closed_even_if_a_part_before_it_cannot_be():
    closed = []
    parts = [
        Part("layer", closed, RuntimeError("deleted already")),
        Part("marks", closed),
        Part("worker", closed),
    ]
    with pytest.raises(RuntimeError, match="deleted already"):
        close_all(parts)
    assert closed == ["layer", "marks", "worker"]

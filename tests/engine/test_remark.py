"""What the model can hardly see is said with the first answer, once."""

from tests.engine.engine_steps import click, of_kind

from napari_sam2.engine import Remark
from napari_sam2.session import visibility


def test_cells_that_are_too_small_are_said_once(table, monkeypatch):
    monkeypatch.setattr(visibility, "SMALLEST", 1000)
    first = of_kind(Remark, table.say(click(1, 0, (30, 40))))
    assert len(first) == 1
    assert "less than 1000 pixels across" in first[0].text
    assert "a region, tiles" in first[0].text
    assert of_kind(Remark, table.say(click(2, 0, (60, 20)))) == []


def test_cells_that_are_large_enough_are_not_spoken_of(table, monkeypatch):
    monkeypatch.setattr(visibility, "SMALLEST", 0)
    assert of_kind(Remark, table.say(click(1, 0, (30, 40)))) == []

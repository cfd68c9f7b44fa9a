"""What the window says is in words of the window, not of the command line."""

import ast
import re
from pathlib import Path

import pytest

import napari_sam2

SOURCE = Path(napari_sam2.__file__).parent
FOREIGN = re.compile(r"\b(resum\w*|overwrit\w*)\b|--resume")


def said_in(tree):
    """Return all strings with more than a word in them, without docstrings."""
    unsaid = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in unsaid
        and " " in node.value.strip()
    ]


@pytest.mark.parametrize("room", ["ui", "engine"])
def test_nothing_is_said_in_words_that_the_window_does_not_have(room):
    said = [
        text
        for path in sorted((SOURCE / room).rglob("*.py"))
        for text in said_in(ast.parse(path.read_text("utf-8")))
    ]
    assert len(said) > 10
    assert [text for text in said if FOREIGN.search(text)] == []


def test_all_fields_of_numbers_show_a_point_in_every_language():
    """Qt's own would show a comma in German, beside a table with points."""
    fields = SOURCE / "ui/widgets/decimal_spin.py"
    others = [path for path in (SOURCE / "ui").rglob("*.py") if path != fields]
    assert len(others) > 10
    named = [path for path in others if "QDoubleSpinBox(" in path.read_text("utf-8")]
    assert named == []

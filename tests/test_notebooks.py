"""The notebooks of the documentation run, cell by cell, as they stand."""

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs/notebooks").glob("*.ipynb"))


def test_there_are_two():
    assert [path.stem for path in NOTEBOOKS] == ["a-batch", "one-movie"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_cells_run_and_nothing_is_kept_of_a_run(path):
    cells = json.loads(path.read_text("utf-8"))["cells"]
    names: dict[str, object] = {}
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        assert cell["outputs"] == []
        exec(compile("".join(cell["source"]), str(path), "exec"), names)
    if "score" in names:
        assert names["score"].region > 0.6
    else:
        states = [movie.state for movie in names["report"].movies]
        assert states == ["done", "done"]

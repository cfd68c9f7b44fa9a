"""What is kept of a movie, and what was made of it by somebody else."""

import json

import pytest

from napari_sam2.batch.report.outcome import MovieOutcome, MovieSummary
from napari_sam2.batch.report.report import PAGE, ReportFolder

SUMMARY = MovieSummary(
    lost=1, frames=(0, 1, 2), area=(9.0, 10.0, None), trust=(0.5, None, 0.75),
    pictures=((0, "aGVsbG8="),), model="nano", device="cpu", threads=1,
)  # fmt: skip
OUTCOME = MovieOutcome(
    title="cells", movie="cells.tif", labels="x", state="done", summary=SUMMARY
)


def test_the_page_shows_what_was_kept(tmp_path):
    folder = ReportFolder(tmp_path / "report")
    folder.write(OUTCOME)
    assert folder.read("cells") == OUTCOME
    folder.finish(["cells"])
    page = (folder.path / PAGE).read_text("utf-8")
    assert "aGVsbG8=" in page
    assert "mean area, pixels: 9 … 10; frames 0 to 2" in page


@pytest.mark.parametrize(
    "broken",
    [
        {"pictures": 5},
        {"pictures": [[0, "'><script>alert(1)</script>"]]},
        {"frames": [0, 1], "area": [1.0]},
        {"area": ["large"]},
        [],
    ],
)
def test_an_outcome_whose_summary_is_broken_is_not_known(broken, tmp_path):
    folder = ReportFolder(tmp_path / "report")
    folder.write(OUTCOME)
    (kept,) = [one for one in folder.path.rglob("*.json") if one.is_file()]
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"summary": broken}))
    assert folder.read("cells") is None
    assert folder.finish(["cells"]).movies == ()

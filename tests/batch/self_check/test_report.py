"""The report of a batch shows a self-check that was run on its masklets."""

from napari_sam2.batch.report.outcome import MovieOutcome
from napari_sam2.batch.report.report import PAGE, ReportFolder
from napari_sam2.batch.self_check.result import (
    HiddenFrame,
    ModelCheck,
    SelfCheck,
    judged,
    kept_path,
)


def test_the_page_shows_what_a_self_check_found(tmp_path):
    masklets = tmp_path / "a.zarr"
    labels = str(masklets / "labels" / "masklets")
    outcome = MovieOutcome(title="a", movie="a.tif", labels=labels, state="done")
    folder = ReportFolder(tmp_path / "report")
    folder.write(outcome)
    folder.finish(["a"])
    assert "Self-check" not in (folder.path / PAGE).read_text("utf-8")

    hidden = HiddenFrame(
        object_id=1, frame_index=2, region=0.9, boundary=0.8, switched=True, clicks=3
    )
    models = (
        ModelCheck(model="my <cells>", hidden=(hidden, hidden), parameters=5_000_000),
        ModelCheck(model="large", refused="it is too large"),
    )
    found = SelfCheck(masklets="a", name="masklets", objects=1, frames=2, models=models)
    judged(found).write(kept_path(masklets, "masklets"))
    folder.finish(["a"])
    page = (folder.path / PAGE).read_text("utf-8")
    for said in ("Self-check: 2 trusted", "0.85", "5.0 M", "large: it is too large"):
        assert said in page
    assert "recommended: my &lt;cells&gt;" in page


def test_a_kept_outcome_that_is_no_text_is_passed_over(tmp_path):
    """It is only there to save time."""
    outcome = MovieOutcome(title="a", movie="a.tif", labels="x\0/b/c/d", state="done")
    folder = ReportFolder(tmp_path / "report")
    folder.write(outcome)
    assert folder.finish(["a"]).movies == (outcome,), "its masklets are nowhere"
    (kept,) = (folder.path / "movies").iterdir()
    kept.write_bytes(b"\xff\xfe\x00 no text")
    assert folder.read("a") is None
    assert folder.finish(["a"]).movies == ()

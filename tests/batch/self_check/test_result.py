"""How a self-check is judged, and where it is kept."""

import pytest

from napari_sam2.batch.self_check.result import (
    FEW,
    HiddenFrame,
    ModelCheck,
    SelfCheck,
    check_writable,
    judged,
    kept_path,
    read_kept,
)
from napari_sam2.errors import OutputError


def model(name, millions, *scores):
    return ModelCheck(
        model=name,
        parameters=int(millions * 1e6),
        hidden=tuple(
            HiddenFrame(
                object_id=1,
                frame_index=at,
                region=score,
                boundary=score,
                switched=False,
                clicks=0,
            )
            for at, score in enumerate(scores)
        ),
    )


def check(*models, **changes):
    count = max(len(one.hidden) for one in models)
    known = {"masklets": "m", "name": "n", "objects": 1, "frames": count}
    return judged(SelfCheck(models=models, **(known | changes)))


@pytest.mark.parametrize(
    "content", [b"II*\0 a movie", b"\xff\xfe\x00", b"{}", b"[" * 9000, b""]
)
def test_a_file_that_is_no_self_check_is_never_replaced(tmp_path, content):
    path = tmp_path / "movie.tif"
    path.write_bytes(content)
    with pytest.raises(OutputError, match="is there, and is no self-check"):
        check_writable(path)
    assert path.read_bytes() == content
    kept = kept_path(tmp_path / "a.zarr", "masklets")
    kept.write_bytes(content)
    assert read_kept(tmp_path / "a.zarr", "masklets") is None
    check(model("tiny", 5, *GOOD)).write(path)
    check_writable(path)


GOOD = (0.9, 0.8, 0.85, 0.9, 0.8, 0.95, 0.9, 0.85)


def test_the_smallest_that_is_as_good_is_recommended():
    alike = [score - 0.02 * (-1) ** at for at, score in enumerate(GOOD)]
    found = check(model("tiny", 5, *alike), model("large", 200, *GOOD))
    assert found.recommended == "tiny"
    assert found.remarks == ()


@pytest.mark.parametrize(
    "worse",
    [
        [score - 0.03 for score in GOOD],  # a little, and always
        [0.1, 0.8, 0.85, 0.9, 0.2, 0.95, 0.9, 0.85],  # not always, but much
    ],
)
def test_one_that_is_worse_is_not(worse):
    found = check(model("tiny", 5, *worse), model("large", 200, *GOOD))
    assert found.recommended == "large"
    assert "no smaller model" in found.reason


def test_of_equal_sizes_the_better_one_is_recommended():
    a_little = [*GOOD[:-1], GOOD[-1] - 0.01]
    found = check(model("nano", 5, *a_little), model("mine", 5, *GOOD))
    assert found.recommended == "mine"


def test_little_to_go_by_and_models_that_are_all_bad_are_said():
    found = check(model("nano", 5, *(0.4,) * (FEW - 1)))
    assert found.recommended == "nano"
    few, bad = found.remarks
    assert "left to chance" in few
    assert "fine-tune" in bad


def test_a_model_that_could_not_be_used_is_not_judged():
    broken = ModelCheck(model="broken", refused="it is")
    found = check(broken, model("large", 200, *GOOD))
    assert found.recommended == "large"
    alone = judged(SelfCheck(masklets="m", name="n", objects=1, frames=2, models=()))
    assert alone.recommended == ""


def test_what_was_found_is_kept_beside_the_masklets(tmp_path):
    found = check(model("nano", 5, *GOOD))
    masklets = tmp_path / "m.zarr"
    assert read_kept(masklets, "n") is None
    found.write(kept_path(masklets, "n"))
    assert read_kept(masklets, "n") == found
    kept_path(masklets, "n").write_text("{", "utf-8")
    assert read_kept(masklets, "n") is None


def test_a_place_where_nothing_can_be_written_is_named(tmp_path):
    with pytest.raises(OutputError, match="--out"):
        check(model("nano", 5, *GOOD)).write(tmp_path / "missing" / "x.json")

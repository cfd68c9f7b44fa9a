"""A run goes on only where the same run stopped."""

import pytest

from napari_sam2.errors import OutputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore


def test_progress_and_snapshot_are_read_back(new_store, fake_run, provenance):
    path = new_store().path
    for frame_index in range(3):
        store = OmeZarrLabelStore.open_for_resume(path, provenance)
        store.write(fake_run.result(frame_index))
        store.commit(fake_run.progress(frame_index + 1), fake_run.snapshot(frame_index))
        progress, snapshot = OmeZarrLabelStore.open(path).read_progress()
        assert progress == fake_run.progress(frame_index + 1)
        expected = fake_run.snapshot(frame_index)
        assert snapshot.keys() == expected.keys()
        for name, values in expected.items():
            assert snapshot[name].dtype == values.dtype
            assert snapshot[name].shape == values.shape
            assert snapshot[name].tobytes() == values.tobytes()
        run = path / "labels/masklets/napari-sam2"
        assert len(list(run.glob("snapshot-*"))) == min(2, frame_index + 1)
    assert store.whole_frames.tolist() == [True] * 3 + [False] * 27


def test_a_commit_may_come_without_a_snapshot(new_store, fake_run):
    store = new_store()
    store.commit(fake_run.progress(3), fake_run.snapshot(2))
    store.commit(fake_run.progress(None), None)
    assert OmeZarrLabelStore.open(store.path).read_progress() == (
        fake_run.progress(None),
        {},
    )
    assert not list(store.path.rglob("snapshot-*"))


def test_finishing_drops_progress_and_snapshot(new_store, fake_run, provenance):
    store = new_store()
    store.write(fake_run.result(0))
    store.commit(fake_run.progress(1), fake_run.snapshot(0))
    assert not store.is_complete
    store.finish()
    assert store.is_complete
    store = OmeZarrLabelStore.open_for_resume(store.path, provenance)
    assert store.is_complete
    assert store.read_progress() is None
    assert not list(store.path.rglob("snapshot-*"))


def test_a_frame_that_is_written_again_is_not_whole_until_the_next_commit(
    new_store, fake_run
):
    store = new_store()
    for frame_index in range(4):
        store.write(fake_run.result(frame_index))
    store.commit(fake_run.progress(4), None)
    store.write(fake_run.result(2, [7]))
    on_disk = OmeZarrLabelStore.open(store.path).whole_frames
    assert on_disk[:5].tolist() == [True, True, False, True, False]
    store.commit(fake_run.progress(4), None)
    on_disk = OmeZarrLabelStore.open(store.path).whole_frames
    assert on_disk[:5].tolist() == [True, True, True, True, False]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weights_sha256": "1" * 64}, "the model's weights changed"),
        ({"precision": "bf16"}, "the precision changed"),
        ({"prompts": {"version": 1, "objects": []}}, "the prompts changed"),
        (
            {"frames": {"contrast_limits": [0, 1]}},
            "the movie or its intensity mapping changed",
        ),
        ({"settings": {"direction": "forward"}}, "the settings .* changed"),
        ({"plan_key": "else"}, "the plan changed"),
        (
            {"precision": "bf16", "prompts": None},
            "the precision and the prompts changed",
        ),
    ],
)
def test_another_plan_is_refused_by_name(new_store, provenance, change, words):
    path = new_store().path
    fields = provenance.model_dump() | {"plan_key": ""} | change
    other = type(provenance)(**fields)
    with pytest.raises(OutputError, match=rf"labels/masklets: {words}.*overwrite it"):
        OmeZarrLabelStore.open_for_resume(path, other)


@pytest.mark.parametrize(
    "change",
    [
        {"device": "cuda"},
        {"threads": 8},
        {"plugin_version": "9.9"},
        {"model": "/elsewhere/nano.safetensors"},
        {"frames": {"source": "/moved/movie.tif", "contrast_limits": (10.0, 900.5)}},
    ],
)
def test_what_does_not_decide_the_result_may_change(new_store, provenance, change):
    path = new_store().path
    fields = provenance.model_dump() | {"plan_key": ""} | change
    store = OmeZarrLabelStore.open_for_resume(path, type(provenance)(**fields))
    assert not store.is_complete


def test_resuming_lists_a_group_that_was_not_listed_yet(new_store, provenance):
    store = new_store()
    (store.path / "labels/zarr.json").unlink()
    OmeZarrLabelStore.open_for_resume(store.path, provenance)
    assert '"masklets"' in (store.path / "labels/zarr.json").read_text()


def test_nothing_to_resume(tmp_path, provenance):
    with pytest.raises(OutputError, match="no zarr group is there"):
        OmeZarrLabelStore.open_for_resume(tmp_path / "x.zarr", provenance)

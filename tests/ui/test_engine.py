"""The engine without a window: a toy network, a real label store."""

import itertools

import numpy as np
import pytest
import zarr

from napari_sam2.errors import ModelError, OutputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.intensity import IntensityMapping
from napari_sam2.io.ome_zarr_labels import OmeZarrLabelStore
from napari_sam2.prompts import FramePrompt, PointPrompt, PromptedObject
from napari_sam2.session.plan import Direction
from napari_sam2.session.session import FrameDone
from napari_sam2.ui.engine import (
    FrameChanged,
    ModelReady,
    Request,
    StoreReady,
    TrackingEngine,
)
from napari_sam2.ui.image_input import ImageInput
from napari_sam2.ui.layer_axes import lay_out_layer


@pytest.fixture
def request_for(stack, toy, tmp_path):
    def make(folder="masklets.zarr", limits=(100.0, 3000.0)):
        image = ImageInput(
            layer_id="layer",
            array_id=id(stack),
            name="movie",
            axes=lay_out_layer(stack.shape, ("t", "y", "x"), 0, {}),
            is_rgb=False,
            mapping=IntensityMapping(limits=(limits,)),
            calibration=Calibration(),
            array=stack,
        )
        return Request(image, toy, tmp_path / folder)

    return make


@pytest.fixture
def engine():
    return TrackingEngine(tell=print)


def click(object_id, frame_index, y, x):
    return FramePrompt(object_id, frame_index, (PointPrompt(y, x),))


def show(engine, request, frame_index, *prompts, cleared=(), is_wanted=lambda: True):
    return list(engine.show_clicks(request, frame_index, prompts, cleared, is_wanted))


def objects(*prompts):
    return [PromptedObject(one.object_id, (one,)) for one in prompts]


def test_the_first_click_opens_everything_and_writes_its_mask(engine, request_for):
    request = request_for()
    events = show(engine, request, 2, click(1, 2, 30, 40))
    kinds = [type(event) for event in events]
    assert kinds[-3:] == [ModelReady, StoreReady, FrameChanged]
    labels = events[-2].array
    assert set(np.unique(labels[2])) == {0, 1}
    assert not labels[1].any()
    on_disk = zarr.open_array(request.folder / "labels" / "masklets" / "0", mode="r")
    np.testing.assert_array_equal(on_disk[2], labels[2])
    store = OmeZarrLabelStore.open(request.folder)
    assert store.read_logits(2)[0] == (1,)
    assert store.whole_frames[2]
    # The next click loads and opens nothing any more.
    assert show(engine, request, 2, click(1, 2, 31, 40)) == [FrameChanged(2)]


def test_objects_of_a_frame_share_its_labels(engine, request_for):
    request = request_for()
    show(engine, request, 0, click(1, 0, 30, 40))
    show(engine, request, 0, click(2, 0, 70, 90))
    store = engine.store_of(request)
    assert store.object_ids == (1, 2)
    assert store.read_logits(0)[0] == (1, 2)
    assert store.read_labels(0).any()


def test_a_late_answer_is_not_written(engine, request_for):
    request = request_for()
    *_, ready, _ = show(engine, request, 0, click(1, 0, 30, 40))
    before = ready.array[0]
    events = show(engine, request, 0, click(1, 0, 5, 5), is_wanted=lambda: False)
    assert events == []
    np.testing.assert_array_equal(ready.array[0], before)


def test_a_correction_remembers_earlier_anchors(engine, request_for, stack):
    request = request_for()
    correction = click(1, 6, 50, 60)
    show(engine, request, 6, correction)
    alone = engine.store_of(request).read_logits(6)[1]
    show(engine, request, 0, click(1, 0, 30, 40))
    show(engine, request, 6, correction)
    corrected = engine.store_of(request).read_logits(6)[1]
    assert not np.array_equal(alone, corrected)
    # Without the earlier anchor it is again what the click alone says.
    show(engine, request, 0, cleared=(1,))
    show(engine, request, 6, correction)
    again = engine.store_of(request).read_logits(6)[1]
    np.testing.assert_array_equal(alone, again)


def test_what_has_no_prompt_is_taken_out(engine, request_for):
    request = request_for()
    here, there = click(1, 0, 30, 40), click(1, 3, 30, 40)
    show(engine, request, 0, here)
    show(engine, request, 3, there)
    show(engine, request, 3, cleared=(1,))
    store = engine.store_of(request)
    assert store.read_labels(0).any()
    assert not store.read_labels(3).any()
    assert list(engine.remove_objects(request, [1], lambda _: False)) == []
    events = list(engine.remove_objects(request, [1], lambda _: True))
    assert events == [FrameChanged(0), FrameChanged(3)]
    assert not store.read_labels(0).any()


def test_labels_that_somebody_drew_are_kept(engine, request_for):
    request = request_for()
    *_, ready, _ = show(engine, request, 0, click(1, 0, 30, 40))
    ready.array[0, :10, :10] = 99
    show(engine, request, 0, click(1, 0, 31, 40))
    list(engine.track(request, objects(click(1, 0, 31, 40)), Direction.FORWARD))
    assert (ready.array[0, :10, :10] == 99).all()


def test_tracking_writes_every_frame_and_says_how_it_was_made(
    engine, request_for, stack
):
    request = request_for()
    prompts = click(1, 5, 30, 40), click(2, 5, 70, 90)
    show(engine, request, 5, *prompts)
    events = list(engine.track(request, objects(*prompts), Direction.BOTH))
    done = [event for event in events if isinstance(event, FrameDone) and event.written]
    assert sorted(event.frame_index for event in done) == list(range(len(stack)))
    store = engine.store_of(request)
    assert store.is_complete
    assert store.whole_frames.all()
    assert store.provenance.settings["direction"] == "both"
    assert [one["id"] for one in store.provenance.prompts["objects"]] == [1, 2]


def test_a_cancelled_run_keeps_its_frames_and_goes_on(engine, request_for, stack):
    request = request_for()
    tracked = objects(click(1, 0, 30, 40))
    run = engine.track(request, tracked, Direction.FORWARD)
    done = (event for event in run if isinstance(event, FrameDone))
    positions = [event.position for event in itertools.islice(done, 6)]
    run.close()
    store = engine.store_of(request)
    whole = int(store.whole_frames.sum())
    assert 0 < whole < len(stack)
    kept = store.read_labels(0)
    rest = list(engine.track(request, tracked, Direction.FORWARD))
    first = next(event for event in rest if isinstance(event, FrameDone))
    assert first.position == positions[-1] + 1
    np.testing.assert_array_equal(store.read_labels(0), kept)
    assert OmeZarrLabelStore.open(request.folder).whole_frames.all()


def test_after_a_click_a_stopped_run_begins_anew(engine, request_for):
    """Even if the click was taken back: its frame lacks the object now."""
    request = request_for()
    tracked = objects(click(1, 0, 30, 40))
    run = engine.track(request, tracked, Direction.FORWARD)
    done = (event for event in run if isinstance(event, FrameDone))
    assert list(itertools.islice(done, 6))[-1].frame_index == 4
    run.close()
    before = engine.store_of(request).read_labels(3)
    show(engine, request, 3, click(1, 3, 5, 5))
    show(engine, request, 3, cleared=(1,))
    assert not engine.store_of(request).read_labels(3).any()
    list(engine.track(request, tracked, Direction.FORWARD))
    np.testing.assert_array_equal(engine.store_of(request).read_labels(3), before)


def test_a_changed_contrast_shows_the_model_another_picture(engine, request_for):
    show(engine, request_for(), 0, click(1, 0, 30, 40))
    store = engine.store_of(request_for())
    before = store.read_logits(0)[1]
    events = show(engine, request_for(limits=(100, 600)), 0, click(1, 0, 30, 40))
    assert events == [FrameChanged(0)]  # the same masklets, and the model still loaded
    assert not np.array_equal(before, store.read_logits(0)[1])


def test_masklets_are_announced_whenever_they_are_others(engine, request_for):
    first, second = request_for("one.zarr"), request_for("two.zarr")
    show(engine, first, 0, click(1, 0, 30, 40))
    assert any(
        isinstance(event, StoreReady)
        for event in show(engine, second, 0, click(1, 0, 30, 40))
    )
    (again,) = engine.show(first)
    assert again.request == first
    assert list(engine.show(first)) == []
    assert list(engine.show(request_for("never-opened.zarr"))) == []


def test_masklets_of_others_are_not_touched(engine, request_for):
    request = request_for()
    show(engine, request, 0, click(1, 0, 30, 40))
    other = TrackingEngine(tell=print)
    with pytest.raises(OutputError, match="choose another folder"):
        show(other, request, 0, click(1, 0, 30, 40))


def test_a_missing_model_is_named(engine, request_for):
    image = request_for().image
    request = Request(image, "/nowhere/model.pt", request_for().folder)
    with pytest.raises(ModelError, match=r"/nowhere/model\.pt"):
        list(engine.prepare(request))

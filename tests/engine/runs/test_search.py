"""Everything without a click, as the window asks for it."""

import numpy as np
import pytest

from napari_sam2.engine import TrackingEngine
from napari_sam2.engine.events import MasksFound, ObjectsFound
from napari_sam2.errors import InputError
from napari_sam2.tracking.automatic.generator import (
    MaskGenerator,
    chosen,
    loosest,
)
from napari_sam2.tracking.automatic.mask_options import MaskOptions
from napari_sam2.tracking.automatic.masklet_options import MaskletOptions


@pytest.fixture
def engine():
    engine = TrackingEngine(lambda _text: None)
    yield engine
    engine.close()


def found_by(steps):
    return [event for event in steps if isinstance(event, (MasksFound, ObjectsFound))]


def test_other_thresholds_do_not_ask_the_network_again(
    engine, request_for, trained, monkeypatch
):
    asked = []
    steps = MaskGenerator.steps
    monkeypatch.setattr(
        MaskGenerator, "steps", lambda *words: asked.append(1) or steps(*words)
    )
    request = request_for(model=trained)
    options = MaskOptions(points_per_side=12)
    (found,) = found_by(engine.search.masks(request, 3, options))
    assert found.count == 3
    assert set(np.unique(found.labels)) == {0, 1, 2, 3}
    strict = MaskOptions(points_per_side=12, minimum_area=10_000)
    (none,) = found_by(engine.search.masks(request, 3, strict))
    assert none.count == 0
    assert len(asked) == 1


def test_what_is_chosen_is_what_would_have_been_found(engine, request_for, trained):
    request = request_for(model=trained)
    list(engine.prepare(request))
    _, movie = engine.workspace.prepared
    frame, network = movie.source.read(2), movie.predictor.network
    options = MaskOptions(points_per_side=10, minimum_iou=0.7, minimum_stability=0.85)
    loose = MaskGenerator(network, loosest(options)).find(2, frame)
    wanted = MaskGenerator(network, options).find(2, frame)
    ours = chosen(loose, options)
    assert len(loose) > len(wanted) > 0
    assert [(one.y0, one.x0, one.area) for one in ours] == [
        (one.y0, one.x0, one.area) for one in wanted
    ]


def test_a_movie_is_searched_or_refused(engine, request_for, trained):
    request = request_for(model=trained)
    masks = MaskOptions(points_per_side=10)
    (found,) = found_by(engine.search.objects(request, MaskletOptions(masks=masks)))
    assert len(found.objects) == 3
    nothing = MaskletOptions(masks=MaskOptions(points_per_side=4, minimum_area=9000))
    with pytest.raises(InputError, match="Nothing was found"):
        found_by(engine.search.objects(request, nothing))

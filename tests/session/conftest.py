"""A toy network and a small movie, for what only a network can show."""

import pytest
import torch
from tests.session import fakes
from tests.tracking.conftest import SHAPE, draw_frame, drawn_network

from napari_sam2.tracking.predictor import StreamingPredictor

LOGITS_SHAPE = (16, 16)
FRAMES = 16


class DrawnMovie(fakes.FakeSource):
    """Drifting discs in noise; remembers which frames were read."""

    frame_shape = SHAPE

    def read(self, frame_index):
        self.reads.append(frame_index)
        return draw_frame(frame_index)


@pytest.fixture(scope="session")
def toy():
    """Random weights, drawn so that masks and presence vary."""
    model = drawn_network()
    with torch.no_grad():
        model.mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(5.0)
    return model


@pytest.fixture(scope="session")
def drawn_movie():
    return DrawnMovie(FRAMES)


@pytest.fixture(scope="session")
def toy_store():
    """Return a maker of empty stores that fit the movie and the network."""
    return lambda: fakes.FakeStore(SHAPE, LOGITS_SHAPE)


@pytest.fixture(scope="session")
def toy_predictor(toy):
    """Return a maker of predictors that compute one object at a time.

    Objects that share a batch with other ones come out equal up to rounding only.
    """

    def make(**options):
        return StreamingPredictor(
            toy,
            frame_shape=SHAPE,
            frame_count=FRAMES,
            device="cpu",
            **{"object_batch": 1, **options},
        )

    return make

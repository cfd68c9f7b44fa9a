"""Objects of a movie that are looked for in tiles."""

from types import SimpleNamespace

import numpy as np

from napari_sam2.generators import WithResult
from napari_sam2.model.checkpoints.checkpoint import load_model
from napari_sam2.synthetic import MovieConfig, SimulatedMovie
from napari_sam2.tracking.automatic.discovery import Discovery
from napari_sam2.tracking.automatic.masklet_options import Divisions, MaskletOptions
from napari_sam2.tracking.automatic.masks import AutomaticMask
from napari_sam2.tracking.predictor import StreamingPredictor

SIDE, LAST = 288, 2


def movie():
    """Frames ``(T, Y, X, 3)`` and labels ``(T, Y, X)`` of six cells of 16 pixels."""
    config = MovieConfig(
        frame_count=LAST + 1, frame_shape=(SIDE, SIDE), cell_count=6, cell_size=16,
        division_rate=0, overlap=0, open_border=False, seed=2,
    )  # fmt: skip
    simulated = SimulatedMovie(config)
    frames = [simulated.frame(frame).astype(np.float64) for frame in range(LAST + 1)]
    level = (np.clip((np.stack(frames) - 90) / 2400, 0, 1) * 255).astype(np.uint8)
    truth = np.stack([simulated.labels(frame) for frame in range(LAST + 1)])
    return np.repeat(level[..., None], 3, axis=-1), truth


def test_who_is_found_late_is_followed_back_from_tile_to_tile():
    frames, truth = movie()
    cells = np.unique(truth[0])[1:].tolist()
    late = cells.pop()

    def find(frame_index, _frame, _occupied):
        seen = [*cells, late] if frame_index == LAST else cells
        masks = [truth[frame_index] == cell for cell in seen]
        return [AutomaticMask(0, 0, one, 0.9, 0.9, 5.0, (0.0, 0.0)) for one in masks]

    shape = frames.shape[1:3]
    predictor = StreamingPredictor(
        load_model("nano"),
        frame_shape=shape,
        device="cpu",
        image_size=160,
        tile_size=160,
    )
    assert len(predictor.layout) == 9
    source = SimpleNamespace(
        frame_count=len(frames), frame_shape=shape, read=frames.__getitem__
    )
    looking = Discovery(source, predictor, MaskletOptions(divisions=Divisions.ACCEPT))
    looking._generator = SimpleNamespace(find=find)
    found = WithResult(looking.run()).to_end().objects
    for cell, one in zip([*cells, late], found, strict=True):
        (prompt,) = one.prompts
        assert prompt.frame_index == (LAST if cell == late else 0)
        np.testing.assert_array_equal(
            prompt.mask.mask, truth[prompt.frame_index] == cell
        )
    first = looking._labels.get(0)
    common = np.count_nonzero((first > 0) & (truth[0] == late))
    assert common > 0.5 * np.count_nonzero(truth[0] == late)

"""Single pictures: the mask that one click gives, and five."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_sam2.batch.benchmark.following import Tracker, clicks_on, masks_in
from napari_sam2.io.training.mask_videos import MaskVideo
from napari_sam2.metrics import region_similarity
from napari_sam2.prompts import FramePrompt, PointPrompt

CLICKS = 5


def clicked_regions(
    tracker: Tracker, video: MaskVideo, clicks: int = CLICKS
) -> Iterator[list[float]]:
    """Yield, for each object of each annotated frame, IoU after 1, 2, … clicks.

    The first click is on the object's deepest pixel; of its three masks the one of the
    highest predicted IoU is taken. The others are the simulator's. Where nothing is
    wrong any more, the IoU stays.
    """
    for at in video.annotated:
        masks = video.read_masks(at)
        if not masks:
            continue
        predictor, frame = tracker.predictor(video), video.read_frame(at)
        points: dict[int, tuple[PointPrompt, ...]] = dict.fromkeys(masks, ())
        guess: dict[int, np.ndarray] = {}
        regions: dict[int, list[float]] = {one: [] for one in masks}
        for _ in range(clicks):
            new = {one: clicks_on(masks[one], guess.get(one)) for one in masks}
            points = {one: points[one] + new[one] for one in masks}
            asked = [
                FramePrompt(one, at, points=points[one]) for one in masks if new[one]
            ]
            if asked:
                step = predictor.preview(at, frame, asked)
                guess |= masks_in(step, predictor.layout, overlap=True)
            for one, truth in masks.items():
                regions[one].append(region_similarity(truth, guess[one]))
        yield from regions.values()

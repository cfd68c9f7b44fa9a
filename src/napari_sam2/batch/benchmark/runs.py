"""A whole benchmark: every video of a data set by one protocol, and the means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from napari_sam2.batch.benchmark.cell_tracking import MEASURES, cell_tracking_scores
from napari_sam2.batch.benchmark.following import (
    BASELINES,
    PROMPTS,
    Follow,
    Tracker,
    follow,
)
from napari_sam2.batch.benchmark.images import clicked_regions
from napari_sam2.batch.benchmark.interactive import (
    CACHE_BYTES,
    ObjectOfVideo,
    Round,
    offline,
    online,
)
from napari_sam2.batch.benchmark.rules import OTHERS, RULES, Rules, VideoScorer
from napari_sam2.batch.models import loaded_model
from napari_sam2.errors import InputError
from napari_sam2.io.training.mask_videos import Masks, MaskVideo, open_videos
from napari_sam2.metrics import MovieScore, ObjectScore
from napari_sam2.tracking.embedding_cache import EmbeddingCache

Protocol = Literal["vos", "interactive-offline", "interactive-online", "images"]
PROTOCOLS: tuple[str, ...] = get_args(Protocol)


@dataclass(frozen=True, slots=True)
class BenchmarkJob:
    """A request to measure.

    Attributes
    ----------
    protocol
        One of `PROTOCOLS`.
    dataset, layout
        Folder or file, and how its files lie.
    model
        A name, a weights file, or one of `BASELINES` (``"vos"`` alone).
    prompt
        One of `PROMPTS` (``"vos"`` alone).
    first, stop
        Of each video only frames from ``first`` up to before ``stop``; None for all.
    cells
        Whether SEG, DET, TRA and identity switches are counted as well.
    device, image_size, official
        As in `Tracker`.
    """

    protocol: str
    dataset: Path
    layout: str
    model: str = "nano"
    prompt: str = "mask"
    first: int | None = None
    stop: int | None = None
    cells: bool = False
    device: str = "auto"
    image_size: int | None = None
    official: bool = False

    def __post_init__(self) -> None:
        for name, known in (("protocol", PROTOCOLS), ("prompt", PROMPTS)):
            if getattr(self, name) not in known:
                raise InputError(
                    f"{name} {getattr(self, name)!r}: known are {', '.join(known)}"
                )
        if self.model in BASELINES and self.protocol != "vos":
            raise InputError(f"{self.model} is a baseline of the protocol vos alone")

    @property
    def rules(self) -> Rules:
        """What counts."""
        rules = RULES.get(self.layout, OTHERS)
        return replace(rules, overlap=rules.overlap or self.official)

    def videos(self) -> Iterator[MaskVideo]:
        """Open the videos."""
        for video in open_videos(self.dataset, self.layout):
            yield part_of(video, self.first, self.stop)

    def tracker(self) -> Tracker:
        """Load the network."""
        model = loaded_model(self.model)
        return Tracker(model, self.device, self.image_size, self.official)


def part_of(video: MaskVideo, first: int | None, stop: int | None) -> MaskVideo:
    """Return some frames of a video, which is then the whole of it."""
    if first is None and stop is None:
        return video
    frames = range(video.frame_count)[first:stop]
    annotated = tuple(at - frames.start for at in video.annotated if at in frames)
    if not annotated:
        raise InputError(f"{video.name}: no frame of {first}:{stop} is annotated")
    return replace(
        video,
        frame_count=len(frames),
        annotated=annotated,
        read_frame=lambda at: video.read_frame(at + frames.start),
        read_masks=lambda at: video.read_masks(at + frames.start),
    )


# --- Semi-supervised


@dataclass(frozen=True, slots=True)
class VosScore:
    """J and F of all objects of a data set, and what cells are counted by.

    Attributes
    ----------
    videos
        By name.
    cells
        Mean over videos of each of `MEASURES`, switches summed up; empty if not asked.
    """

    videos: dict[str, MovieScore]
    cells: dict[str, float]

    @property
    def total(self) -> MovieScore:
        """All objects of all videos, each of which counts as much as any other."""
        objects = [one for video in self.videos.values() for one in video.objects]
        frames = sum(video.frame_count for video in self.videos.values())
        return MovieScore(tuple(objects), frames)

    def to_json(self) -> dict[str, object]:
        """Return a JSON-able mapping."""
        total = self.total
        return {
            "objects": len(total.objects),
            "J": total.region,
            "F": total.boundary,
            "J&F": total.region_and_boundary,
            **self.cells,
            "videos": {name: score.to_json() for name, score in self.videos.items()},
        }


def run_vos(job: BenchmarkJob) -> VosScore:
    """Measure semi-supervised video object segmentation: prompts on first frames.

    Raises
    ------
    InputError
        If the data set cannot be read, or nothing in it counts.
    """
    follower = BASELINES.get(job.model)
    if follower is None:
        follower = partial(follow, job.tracker(), job.prompt)
    videos: dict[str, MovieScore] = {}
    cells: list[dict[str, float]] = []
    for video in job.videos():
        scores, counted = _followed(follower, video, job)
        if scores:
            videos[video.name] = MovieScore(tuple(scores), len(video.annotated))
        cells += [counted] if counted else []
    if not videos:
        raise InputError(f"{job.dataset}: no object has a frame that counts")
    return VosScore(videos, _together(cells))


def _followed(
    follower: Follow, video: MaskVideo, job: BenchmarkJob
) -> tuple[list[ObjectScore], dict[str, float]]:
    scorer = VideoScorer(job.rules, video)
    annotated = set(video.annotated)
    known, found = [], []
    for index, guess in enumerate(follower(video, job.rules)):
        if index in annotated:
            truth = video.read_masks(index)
            scorer.add(index, truth, guess)
            if job.cells:
                known.append(_painted(truth, video.frame_shape))
                found.append(_painted(guess, video.frame_shape))
    return scorer.result(), cell_tracking_scores(known, found) if job.cells else {}


def _painted(masks: Masks, shape: tuple[int, int]) -> np.ndarray:
    labels = np.zeros(shape, np.uint16)
    for object_id, mask in masks.items():
        labels[mask] = object_id
    return labels


def _together(cells: Sequence[dict[str, float]]) -> dict[str, float]:
    if not cells:
        return {}
    means = {name: float(np.mean([one[name] for one in cells])) for name in MEASURES}
    return means | {"IDSW": sum(one["IDSW"] for one in cells)}


# --- Interactive


def run_interactive(job: BenchmarkJob) -> list[dict[str, float]]:
    """Measure rounds of clicks; return the mean over objects after each.

    Raises
    ------
    InputError
        If the data set cannot be read, or no object is annotated in it.
    """
    tracker = job.tracker()
    protocol = offline if job.protocol == "interactive-offline" else online
    objects: list[list[Round]] = []
    for video in job.videos():
        seen = {one for at in video.annotated for one in video.read_masks(at)}
        embeddings = EmbeddingCache(max_bytes=CACHE_BYTES)
        for object_id in sorted(seen):
            one = ObjectOfVideo(tracker, video, object_id, embeddings)
            objects.append(list(protocol(one)))
    if not objects:
        raise InputError(f"{job.dataset}: no object is annotated")
    return [
        {
            "rounds": number,
            "objects": len(objects),
            "J&F": float(np.mean([one.region_and_boundary for one in rounds])),
            **{
                name: float(np.mean([asdict(one)[name] for one in rounds]))
                for name in ("clicks", "seconds")
            },
        }
        for number, rounds in enumerate(zip(*objects, strict=True), 1)
    ]


# --- Images


def run_images(job: BenchmarkJob) -> list[dict[str, float]]:
    """Measure masks of single pictures; return mIoU over objects after each click.

    Raises
    ------
    InputError
        If the data set cannot be read, or no object is annotated in it.
    """
    tracker = job.tracker()
    found = [row for video in job.videos() for row in clicked_regions(tracker, video)]
    if not found:
        raise InputError(f"{job.dataset}: no object is annotated")
    return [
        {"clicks": number, "objects": len(found), "mIoU": float(value)}
        for number, value in enumerate(np.mean(found, axis=0), 1)
    ]

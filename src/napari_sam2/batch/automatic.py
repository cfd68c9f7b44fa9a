"""The objects of a movie that nobody prompted, found and kept as a prompts file."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from napari_sam2.batch.job import FrameOptions, frame_range, load_predictor
from napari_sam2.batch.models import ModelOptions
from napari_sam2.batch.prompting.policies import UserPath
from napari_sam2.batch.score_tables import tables_of
from napari_sam2.batch.tile_choice import AUTO, chosen_side
from napari_sam2.errors import InputError
from napari_sam2.interfaces import FrameSource
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.movies.frame_sources import open_frames
from napari_sam2.io.prompts.files import mask_folder, put_document, write_prompts
from napari_sam2.io.prompts.stacks import VolumePrompts, document_of_stacks
from napari_sam2.prompts import MAX_OBJECT_ID, PromptedObject
from napari_sam2.session.book.proposals import ProposedDivision
from napari_sam2.session.scores.divisions import proposed_divisions
from napari_sam2.tracking.automatic.masklet_options import MaskletOptions

if TYPE_CHECKING:
    from napari_sam2.tracking.automatic.census import Discovered
    from napari_sam2.tracking.automatic.discovery import Looked


def divisions_seen(labels: Path, name: str) -> list[ProposedDivision]:
    """Return the divisions that the scores of tracked masklets speak for.

    Parameters
    ----------
    labels, name
        The OME-Zarr folder, and the label group in it.
    """
    store = OmeZarrLabelStore.open(labels, name, mode="r")
    evidence, book = store.read_division_evidence(), store.read_session().book
    return proposed_divisions(tables_of(store), evidence, book)


class DiscoveryJob(BaseModel):
    """A request to find the objects of a movie.

    Attributes
    ----------
    movie, prompts
        What to look at; the prompts file (JSON) to write.
    frames
        First frame and the one after the last; None for all.
    time_point
        Of a movie of stacks: frames are the planes of this one. None for a movie of
        single frames.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    movie: UserPath
    prompts: UserPath
    frame_options: FrameOptions = FrameOptions()
    model_options: ModelOptions = ModelOptions()
    options: MaskletOptions = MaskletOptions()
    frames: tuple[int | None, int | None] | None = None
    time_point: int | None = None

    @property
    def seen(self) -> FrameOptions:
        """How what is looked at is read."""
        if self.time_point is None:
            return self.frame_options
        stack = {"t": self.time_point, "z": None}
        return self.frame_options.model_copy(update=stack)


def find_objects(job: DiscoveryJob) -> Generator[Looked, None, Discovered]:
    """Find the objects of a movie, and write them as prompts when all are known.

    Yields
    ------
    Looked
        After each frame.

    Returns
    -------
    Discovered
        The objects, and divisions that were seen.

    Raises
    ------
    InputError, ModelError, OutputError
        If movie or model cannot be used, nothing is found, or nothing can be written.
    """
    from napari_sam2.tracking.automatic.discovery import Discovery

    with closing(open_frames(job.movie, **dict(job.seen))) as source:
        asked = frame_range(job.frames, source.frame_count)
        predictor = load_predictor(_as_close(job.model_options, source), source)
        frames = range(asked.first, asked.stop)
        search = Discovery(source, predictor, job.options, frames)
        found = yield from search.run()
    if not found.objects:
        raise InputError(
            f"{job.movie}: nothing was found; look at a frame with `napari-sam2 masks` "
            "and lower --minimum-iou, or prompt the objects"
        )
    if len(found.objects) > MAX_OBJECT_ID:
        raise InputError(
            f"{job.movie}: {len(found.objects)} objects were found, and labels hold "
            f"{MAX_OBJECT_ID}; raise --minimum-iou or --shortest"
        )
    _keep(job, found.objects)
    return found


def _as_close(options: ModelOptions, source: FrameSource) -> ModelOptions:
    """Look as closely as what is found is followed; at whole frames before ``auto``."""
    closely = None if options.tiles == AUTO else options.tiles
    side = chosen_side(closely, source.frame_shape, options.image_size, ())
    return options.model_copy(update={"tiles": side})


def _keep(job: DiscoveryJob, objects: Sequence[PromptedObject]) -> None:
    """Write what was found as prompts: frames of a stack are planes."""
    if job.time_point is None:
        write_prompts(job.prompts, objects)
        return
    everybody = tuple(replace(one, prompts=()) for one in objects)
    prompts = VolumePrompts({job.time_point: tuple(objects)}, everybody)
    put_document(job.prompts, *document_of_stacks(prompts, mask_folder(job.prompts)))

"""Whether masklets on disk are what was written, all of them, without changing any.

Files are read and hashed. Decoded are labels that version 0.2 wrote or that have
coarser levels, which must be what the finest one makes them, and a movie that was
embedded. The answer is a report for each label group, with all that is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from napari_sam2.errors import InputError, OutputError
from napari_sam2.io.label_store.faults import (
    Fault,
    Part,
    anchor_faults,
    first_line,
    frame_faults,
)
from napari_sam2.io.label_store.files import LabelFiles
from napari_sam2.io.label_store.group import RUN
from napari_sam2.io.label_store.volume import VolumeLabels, is_of_stacks
from napari_sam2.io.label_store.writing_lock import keeping_writers_out
from napari_sam2.io.ome_zarr.embedded_image import image_faults
from napari_sam2.io.ome_zarr.parent import open_parent
from napari_sam2.io.sessions.folder import session_names
from napari_sam2.io.storage import DAMAGED, reading_errors


@dataclass(frozen=True, slots=True)
class Verified:
    """What is known of one label group.

    Attributes
    ----------
    labels
        Its folder.
    is_complete
        Whether its run was finished, and nothing was changed since.
    frame_count, whole_frames
        How many frames the movie has, and how many were computed.
    faults
        What is not as it was written; none if all is.
    """

    labels: str
    is_complete: bool
    frame_count: int
    whole_frames: int
    faults: tuple[Fault, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def as_json(self) -> dict[str, object]:
        """Return the report as a JSON-able mapping."""
        return {**asdict(self), "is_whole": self.is_whole}


def verify(path: Path, name: str | None = None) -> list[Verified]:
    """Check the masklets of an OME-Zarr.

    Parameters
    ----------
    path
        Folder of the OME-Zarr.
    name
        One label group of it; all that this program made unless given.

    Returns
    -------
    list of Verified
        One for each label group, by name.

    Raises
    ------
    InputError
        If there are no masklets of this program.
    OutputError
        If somebody is writing there.
    """
    found = session_names(path)
    names = found if name is None else [name]
    if not names or not set(names) <= set(found):
        what = "masklets of napari-sam2" if name is None else f"masklets {name!r}"
        raise InputError(f"{path}: holds no {what}; give the folder of the OME-Zarr")
    with ExitStack() as kept_out:
        for one in names:
            kept_out.enter_context(keeping_writers_out(path / "labels" / one / RUN))
        image = tuple(_faults_of_image(path))
        return [_verify_group(path, one, image) for one in names]


def _faults_of_image(path: Path) -> Iterator[Fault]:
    found: list[Fault] = []
    with _noting(found, "image", "the movie beside the labels"):
        for frame_index, text in image_faults(path):
            yield Fault("image", text, frame_index)
    yield from found


def _verify_group(path: Path, name: str, image: tuple[Fault, ...]) -> Verified:
    folder = str(path / "labels" / name)
    try:
        if is_of_stacks(path, name):
            return _verify_volume(VolumeLabels.open(path, name, "r"), image)
        with reading_errors(path, name):
            files = LabelFiles(open_parent(path, "r"), name, "r")
    except OutputError as error:
        return Verified(folder, False, 0, 0, (Fault("metadata", str(error)),))
    return Verified(
        labels=folder,
        is_complete=files.is_complete,
        frame_count=len(files.frames.whole.read()),
        whole_frames=int(files.frames.whole.read().sum()),
        faults=(*image, *_faults_of(files)),
    )


def _verify_volume(volume: VolumeLabels, image: tuple[Fault, ...]) -> Verified:
    """Check labels of stacks, and all masklets that they are made of."""
    parts = [
        Fault(fault.part, f"{name}: {fault.text}", fault.frame_index)
        for name in session_names(volume.parts)
        for fault in _verify_group(volume.parts, name, ()).faults
    ]
    damaged = [Fault("labels", text, frame) for frame, text in volume.damaged()]
    whole = volume.whole_frames
    return Verified(
        labels=str(volume.path / "labels" / volume.name),
        is_complete=volume.is_complete,
        frame_count=len(whole),
        whole_frames=int(whole.sum()),
        faults=(*image, *damaged, *parts),
    )


def _faults_of(files: LabelFiles) -> Iterator[Fault]:
    lost = files.journal.fault(files.frames.whole.count)
    if lost is not None:
        yield Fault("progress", f"{lost} is not what was recorded")
    yield from frame_faults(files.frames)
    found: list[Fault] = []
    with _noting(found, "levels", "a coarser level"):
        for number, frame_index in files.differing_levels():
            text = f"level {number} is not what the labels make it"
            yield Fault("levels", text, frame_index)
    yield from anchor_faults(files.anchors, files.journal)
    with _noting(found, "session", "the session"):
        for mask in files.masks.damaged():
            yield Fault("session", f"the drawn mask {mask} is not what was drawn")
        files.read_session()
    for table in (files.frames.measurements, files.frames.evidence):
        for name in table.names:
            with _noting(found, "measurements", name):
                table.read_all(name)
    with _noting(found, "history", "the history"):
        for text in files.history.faults():
            yield Fault("history", text)
    yield from found


@contextmanager
def _noting(found: list[Fault], part: Part, what: str) -> Iterator[None]:
    """Turn what cannot be read into a fault."""
    try:
        yield
    except OutputError as error:
        found.append(Fault(part, str(error)))
    except (OSError, *DAMAGED) as error:
        found.append(Fault(part, f"{what} cannot be read ({first_line(error)})"))

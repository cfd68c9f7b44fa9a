"""Prompt policies: where the prompts of a movie come from that nobody prompted itself.

A policy is a value that goes into a plan as JSON and is asked once for each movie, by
whoever tracks it. Another kind is another class of the union `PromptPolicy` that has
the method `read`; nothing else knows the kinds.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from napari_sam2.errors import InputError
from napari_sam2.interfaces import StoredAnchor
from napari_sam2.io.label_store.store import DEFAULT_NAME, OmeZarrLabelStore
from napari_sam2.io.movies.fingerprint import fingerprint_of
from napari_sam2.io.movies.frame_sources import StackFrames
from napari_sam2.io.prompts.bounds import PlaneBounds, PromptBounds
from napari_sam2.io.prompts.files import read_prompts
from napari_sam2.io.prompts.label_images import read_label_prompts
from napari_sam2.io.prompts.label_volumes import read_volume_plane
from napari_sam2.io.prompts.stacks import read_volume_prompts
from napari_sam2.io.sessions.document import SESSION
from napari_sam2.io.sessions.folder import RUN
from napari_sam2.paths import remote_url, user_path
from napari_sam2.prompts import FramePrompt, MaskPrompt, PromptedObject
from napari_sam2.tracking.automatic.masklet_options import MaskletOptions

UserPath = Annotated[Path, AfterValidator(user_path)]
"""A path in a request: ``~`` is the home folder."""

PROGRAMS = {
    "cellpose": ("{stem}_cp_masks.tif", "{stem}_cp_masks.png"),
    "stardist": ("{stem}.stardist.tif", "{stem}_stardist.tif"),
    "ilastik": ("{stem}_Object Identities.tif", "{stem}_Object Identities.tiff"),
}
"""Names that programs give to the label images of ``stem``, beside it."""

Frames = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True, eq=False)
class Prompts:
    """What is to be tracked in a movie.

    Attributes
    ----------
    anchors
        What a person saw on prompted frames of this very movie: replayed, so that the
        result is theirs bit by bit.
    """

    objects: list[PromptedObject]
    anchors: tuple[StoredAnchor, ...] = ()


class ReadsPrompts(Protocol):
    """What every policy can do."""

    def files(self, movie: Path) -> list[Path]:
        """Return the files that the prompts of a movie come from, if they are there."""

    def read(self, movie: Path, source: StackFrames) -> Prompts:
        """Return the prompts of a movie.

        Raises
        ------
        InputError
            If there are none, or they do not fit the movie.
        """


class _Policy(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SamePrompts(_Policy):
    """The prompts of one file, at the same positions in all movies.

    Attributes
    ----------
    path
        A prompts file, a label image, or a points or shapes table.
    frame
        Frame that a label image or a 2D table belongs to.
    """

    kind: Literal["same"] = "same"
    path: UserPath
    frame: Annotated[int, Field(ge=0)] = 0

    def files(self, movie: Path) -> list[Path]:
        """Return the file."""
        return [self.path]

    def read(self, movie: Path, source: StackFrames) -> Prompts:
        """Return the prompts of the file."""
        return Prompts(
            read_prompts(
                self.path,
                frame=self.frame,
                frame_shape=source.frame_shape,
                frame_count=source.frame_count,
            )
        )


class SessionPrompts(_Policy):
    """The prompts of a session of the window, or of a finished run.

    In the movie that it was made of, what people saw is replayed; in other movies the
    prompts stand at the same positions.

    Attributes
    ----------
    path, name
        OME-Zarr and label group of the session.
    """

    kind: Literal["session"] = "session"
    path: UserPath
    name: str = DEFAULT_NAME

    def files(self, movie: Path) -> list[Path]:
        """Return the file that the session is saved in."""
        return [self.path / "labels" / self.name / RUN / SESSION]

    def read(self, movie: Path, source: StackFrames) -> Prompts:
        """Return the prompts of the session, with anchors where the movie is its own.

        Raises
        ------
        InputError
            If the session holds no prompts, or they lie outside of the movie.
        """
        store = OmeZarrLabelStore.open(self.path, self.name, mode="r")
        book = store.read_session().book
        objects = [one.as_prompted() for one in book.objects if one.prompts]
        if not objects:
            raise InputError(f"{self.path}: the session holds no prompts")
        bounds = PromptBounds(source.frame_shape, source.frame_count)
        for one in objects:
            for prompt in one.prompts:
                check_inside(prompt, bounds, str(self.path))
        known = store.provenance.fingerprint
        is_own = known is not None and known.frames == fingerprint_of(source).frames
        return Prompts(objects, tuple(store.read_anchors()) if is_own else ())


class PromptsBeside(_Policy):
    """A file beside each movie, found by its name.

    Attributes
    ----------
    patterns
        Names with ``{stem}`` (the movie's name without suffix) or ``{name}`` (with it),
        relative to the movie's folder; the first that exists is taken.
    frames
        Frames that label images are taken of: of a stack of labels several, where one
        number is one object on all of them; of a single image one. Tables and prompts
        files that name frames themselves are taken whole.
    """

    kind: Literal["beside"] = "beside"
    patterns: Annotated[tuple[str, ...], Field(min_length=1)]
    frames: Frames = (0,)

    @field_validator("patterns")
    @classmethod
    def _check(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                filled = pattern.format(stem="a", name="a.tif")
            except (LookupError, ValueError) as error:
                raise ValueError(
                    f"the pattern {pattern!r}: put {{stem}} or {{name}} into it"
                ) from error
            if filled == pattern:
                raise ValueError(
                    f"the pattern {pattern!r} names one file for all movies: put "
                    "{stem} or {name} into it"
                )
        return patterns

    def files(self, movie: Path) -> list[Path]:
        """Return the files of these names that are there, the one to take first."""
        return [path for path in self._candidates(movie) if path.exists()]

    def _candidates(self, movie: Path) -> list[Path]:
        names = {"stem": stem_of(movie), "name": movie.name}
        return [movie.parent / one.format(**names) for one in self.patterns]

    def read(self, movie: Path, source: StackFrames) -> Prompts:
        """Return the prompts of the file beside a movie.

        Raises
        ------
        InputError
            If there is none of these names.
        """
        found = self.files(movie)
        if not found:
            names = " and ".join(path.name for path in self._candidates(movie))
            raise InputError(
                f"{movie}: there are no prompts beside it: looked for {names}"
            )
        return Prompts(_of_frames(found[0], self.frames, source))


class PromptsInside(_Policy):
    """A label image inside the OME-Zarr that the movie is.

    Attributes
    ----------
    group
        Its path in the movie, such as ``labels/nuclei``.
    frames
        Frames that are taken; one number is one object on all of them.
    """

    kind: Literal["inside"] = "inside"
    group: str
    frames: Frames = (0,)

    def files(self, movie: Path) -> list[Path]:
        """Return the folder of the group."""
        return [movie / self.group]

    def read(self, movie: Path, source: StackFrames) -> Prompts:
        """Return the labels of the group.

        Raises
        ------
        InputError
            If the movie has no such group.
        """
        path = movie / self.group
        if remote_url(path) is None and not path.is_dir():
            raise InputError(f"{movie}: holds no {self.group} to take prompts from")
        return Prompts(_of_frames(path, self.frames, source))


class AutomaticPrompts(_Policy):
    """Objects that the network finds by itself, kept as a prompts file.

    Who tracks the movie seeks them, unless the file is there; see
    `napari_sam2.batch.automatic`.

    Attributes
    ----------
    options
        What becomes an object.
    """

    kind: Literal["automatic"] = "automatic"
    options: MaskletOptions = MaskletOptions()

    def files(self, movie: Path) -> list[Path]:
        """Return nothing: a job is given the file that is made."""
        return []

    def read(self, movie: Path, source: StackFrames) -> Prompts:
        """Refuse: a plan makes a file of what is found, and a job reads that."""
        raise InputError(f"{movie}: its objects are sought by a plan; run one")


class StackPrompts(_Policy):
    """What was prompted in one stack of a movie of stacks; its frames are planes.

    Attributes
    ----------
    path, frame, plane
        See `napari_sam2.io.prompts.stacks.read_volume_prompts`.
    """

    kind: Literal["stack"] = "stack"
    path: UserPath
    frame: Annotated[int, Field(ge=0)] = 0
    plane: int | None = None

    def files(self, movie: Path) -> list[Path]:
        """Return the file."""
        return [self.path]

    def read(self, movie: Path, source: StackFrames) -> Prompts:
        """Return the prompts of the stack that the movie stays at.

        Raises
        ------
        InputError
            If nothing is prompted there, or it cannot be read.
        """
        layout, planes = source.layout, PlaneBounds(source.frame_count, self.plane)
        bounds = PromptBounds(source.frame_shape, layout.length("T"))
        found = read_volume_prompts(
            self.path, frame=self.frame, bounds=bounds, planes=planes
        )
        at = layout.fixed["T"]
        if at not in found.stacks:
            raise InputError(f"{self.path}: nothing is prompted at time point {at}")
        return Prompts(list(found.stacks[at]))


class AnchorLabels(BaseModel):
    """What the labels of one stack say of a plane.

    Attributes
    ----------
    frame, path
        Time point of the stack, and its labels.
    object_ids, absent_ids
        Objects whose masks are taken from the plane, and those that are not there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    frame: int
    path: UserPath
    object_ids: tuple[int, ...]
    absent_ids: tuple[int, ...] = ()


class PlanePrompts(_Policy):
    """On one plane of a movie of stacks: masks from labels of some of the stacks.

    Attributes
    ----------
    anchors
        By time point.
    parents
        Mothers of daughters.
    """

    kind: Literal["plane"] = "plane"
    anchors: tuple[AnchorLabels, ...]
    parents: dict[int, int] = {}

    def files(self, movie: Path) -> list[Path]:
        """Return the labels."""
        return [anchor.path for anchor in self.anchors]

    def read(self, movie: Path, source: StackFrames) -> Prompts:
        """Return the masks on the plane that the movie stays on.

        Raises
        ------
        InputError
            If labels cannot be read, or do not fit the movie.
        """
        plane, planes = source.layout.fixed["Z"], source.layout.length("Z")
        shape = source.frame_count, planes, *source.frame_shape
        found: dict[int, list[FramePrompt]] = {}
        for anchor in self.anchors:
            place = anchor.frame, plane
            labels = read_volume_plane(anchor.path, place=place, shape=shape)
            for one in (*anchor.object_ids, *anchor.absent_ids):
                mask = MaskPrompt((labels == one) & (one in anchor.object_ids))
                prompt = FramePrompt(one, anchor.frame, mask=mask)
                found.setdefault(one, []).append(prompt)
        return Prompts(
            [
                PromptedObject(one, tuple(found[one]), parent=self._mother(one, found))
                for one in sorted(found)
            ]
        )

    def _mother(self, object_id: int, found: Container[int]) -> int | None:
        mother = self.parents.get(object_id)
        return mother if mother in found else None


PromptPolicy = Annotated[
    SamePrompts | SessionPrompts | PromptsBeside | PromptsInside | AutomaticPrompts,
    Field(discriminator="kind"),
]
"""One of the policies, told apart by ``kind``."""
PartPolicy = Annotated[StackPrompts | PlanePrompts, Field(discriminator="kind")]
"""Of the parts that a movie of stacks is tracked in; no plan says these."""


def policy_of(text: str, frames: tuple[int, ...] = (0,)) -> PromptPolicy:
    """Return the policy that people mean.

    Parameters
    ----------
    text
        ``automatic``, ``cellpose``, ``stardist`` or ``ilastik``; a label group of the
        movies such as ``labels/nuclei``; a pattern such as ``{stem}.csv``; a session of
        the window; or a file whose prompts are taken for all.
    frames
        Frames that label images are taken of.

    Raises
    ------
    InputError
        If it is none of these.
    """
    if text == "automatic":
        return AutomaticPrompts()
    if text in PROGRAMS:
        return PromptsBeside(patterns=PROGRAMS[text], frames=frames)
    if "{" in text:
        return PromptsBeside(patterns=(text,), frames=frames)
    path = user_path(text)
    if OmeZarrLabelStore.is_ours(path):
        return SessionPrompts(path=path.absolute())
    if path.exists():
        return SamePrompts(path=path.absolute(), frame=frames[0])
    if text.startswith("labels/"):
        return PromptsInside(group=text, frames=frames)
    raise InputError(
        f"{text}: says nothing of prompts: give automatic, {', '.join(PROGRAMS)}, a "
        "pattern with {stem}, a group such as labels/nuclei, a session, or a file that "
        "exists"
    )


def stem_of(movie: Path) -> str:
    """Return the name of a movie without what says its kind.

    >>> stem_of(Path("/data/well_A1.ome.tif"))
    'well_A1'
    """
    name = movie.name
    for suffix in (".ome.tiff", ".ome.tif", ".ome.zarr"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return movie.stem


def _of_frames(
    path: Path, frames: tuple[int, ...], source: StackFrames
) -> list[PromptedObject]:
    """Read a file of prompts; of a stack of labels, several frames."""
    shape, count = source.frame_shape, source.frame_count
    if len(frames) == 1 or path.suffix.lower() in (".json", ".csv"):
        return read_prompts(path, frame=frames[0], frame_shape=shape, frame_count=count)
    bounds = PromptBounds(shape, count)
    found: dict[int, list[FramePrompt]] = {}
    for frame in sorted(set(frames)):
        for labelled in read_label_prompts(path, frame=frame, bounds=bounds):
            found.setdefault(labelled.object_id, []).extend(labelled.prompts)
    return [PromptedObject(one, tuple(found[one])) for one in sorted(found)]


def check_inside(prompt: FramePrompt, bounds: PromptBounds, where: str) -> None:
    """Refuse a prompt that is not in a movie."""
    place = f"{where}: object {prompt.object_id}, frame {prompt.frame_index}"
    bounds.check_frame(prompt.frame_index, where)
    if prompt.mask is not None and prompt.mask.mask.shape != bounds.frame_shape:
        raise InputError(
            f"{place}: the mask has {prompt.mask.mask.shape} pixels, frames of the "
            f"movie {bounds.frame_shape}; prompts of one movie fit those of its size"
        )
    positions = [(point.y, point.x) for point in prompt.points]
    if prompt.box is not None:
        positions += [(prompt.box.y0, prompt.box.x0), (prompt.box.y1, prompt.box.x1)]
    for y, x in positions:
        bounds.check_position(y, x, place)

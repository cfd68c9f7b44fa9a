"""`BatchPlan`: what is to be tracked in many movies, as one document.

It is saved by the window, written by hand or made by ``napari-sam2 plan``, and becomes
one `TrackJob` for each movie. What decides results stands in it, so that it gives the
same ones on another machine.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from napari_sam2.batch.automatic import DiscoveryJob
from napari_sam2.batch.job import FrameOptions, TrackJob
from napari_sam2.batch.models import ModelOptions
from napari_sam2.batch.output import refuse_remote
from napari_sam2.batch.plan.movies import FoundMovie, find_movies
from napari_sam2.batch.prompting.policies import AutomaticPrompts, PromptPolicy
from napari_sam2.errors import InputError
from napari_sam2.io.exports.formats import FORMATS, no_volumes_in, with_suffix
from napari_sam2.io.label_store.store import DEFAULT_NAME
from napari_sam2.paths import read_text, remote_url, user_path
from napari_sam2.session.planning.plan import Direction, MergePolicy, Mode

VERSION: Literal[1] = 1
PLACEHOLDERS = ("movie", "folder", "stem", "number", "plate", "well", "field")
"""What patterns may hold: the movie's path, its folder, its name without suffix, its
number in the plan; of a field of a plate, what these are called."""
LONGEST_DELAY = 86_400
"""Seconds between two tries: a day."""
COUNTED = re.compile(r"0?[1-9]?d?")
"""How ``{number}`` may be written: ``{number:03}``."""
DEFAULT_OUT = "{folder}/{stem}-masklets.zarr"


class PlannedMovie(BaseModel):
    """One movie of a plan, ready to be tracked.

    Attributes
    ----------
    title
        What people call it; no other movie of the plan is called so.
    exports
        Files or folders to write when that is done, by format.
    discovery
        What finds the objects before, unless the job's prompts file is there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    job: TrackJob
    exports: dict[str, Path] = {}
    discovery: DiscoveryJob | None = None

    @property
    def is_to_be_prompted(self) -> bool:
        """Whether its objects are still to be found."""
        return self.discovery is not None and not self.discovery.prompts.exists()


class BatchPlan(BaseModel):
    """What is to be tracked in many movies.

    Attributes
    ----------
    version
        Of this format.
    movies
        Paths, patterns such as ``data/*.tif``, plates, collections, or folders of
        OME-Zarr images; those that are relative count from the plan's folder.
    prompts
        Where the prompts of each movie come from.
    out
        Pattern of the OME-Zarr that the masklets of a movie go into; ``{movie}`` writes
        into the movie itself, where that is an OME-Zarr.
    name
        Name of the label groups.
    frame_options, model_options
        How movies are read; what tracks.
    each_channel
        Track in each of these channels by itself, into a label group ``<name>-c<n>``.
    frames, direction, merge, embed_image, accept_movie, mode
        See `TrackJob`.
    exports
        By format of ``napari-sam2 export``: pattern of the file to write.
    retries, retry_delay
        How often a movie is tried again where a lock, a disk or a lost worker stopped
        it, and after how many seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = VERSION
    movies: Annotated[tuple[str, ...], Field(min_length=1)]
    prompts: PromptPolicy
    out: str = DEFAULT_OUT
    name: str = DEFAULT_NAME
    frame_options: FrameOptions = FrameOptions()
    model_options: ModelOptions = ModelOptions()
    each_channel: tuple[Annotated[int, Field(ge=0)], ...] = ()
    frames: tuple[int | None, int | None] | None = None
    direction: Direction = Direction.BOTH
    merge: MergePolicy | None = None
    embed_image: bool = False
    accept_movie: bool = False
    mode: Mode = Mode.FRAMES
    exports: dict[str, str] = {}
    retries: Annotated[int, Field(ge=0, le=100)] = 3
    retry_delay: Annotated[float, Field(ge=0, le=LONGEST_DELAY)] = 30.0

    @model_validator(mode="after")
    def _check_patterns(self) -> Self:
        for pattern in (self.out, *self.exports.values()):
            parts = [part for part in _parsed(pattern) if part[1] is not None]
            names = {str(name) for _, name, _, _ in parts}
            if unknown := sorted(names - set(PLACEHOLDERS)):
                raise ValueError(
                    f"the pattern {pattern!r} has {{{unknown[0]}}}; give "
                    f"{', '.join(f'{{{one}}}' for one in PLACEHOLDERS)}"
                )
            for _, name, how, conversion in parts:
                is_counted = name == "number" and COUNTED.fullmatch(how or "")
                if conversion or (how and not is_counted):
                    raise ValueError(
                        f"the pattern {pattern!r} says how {{{name}}} is written: only "
                        "{number:03} and the like may do so"
                    )
        return self

    @model_validator(mode="after")
    def _check_mode(self) -> Self:
        for name in self.exports if self.mode is Mode.TZYX else ():
            if name in FORMATS and not FORMATS[name].volumes:
                raise ValueError(no_volumes_in(name))
        return self

    def planned(self) -> list[PlannedMovie]:
        """Return what is to be done, movie by movie.

        Raises
        ------
        InputError
            If a movie does not exist, a pattern has no placeholder for several movies,
            two movies have one output, it takes the place of what is given, or it is
            on a server.
        """
        found = [movie for text in self.movies for movie in find_movies(text)]
        found = list({one.path.absolute(): one for one in found}.values())
        found = self._without_prompts(found)
        if len(found) > 1:
            for pattern in (self.out, *self.exports.values()):
                _refuse_constant(pattern, len(found))
        titles = _titles(found)
        planned = [
            one
            for number, (title, movie) in enumerate(zip(titles, found, strict=True))
            for one in self._planned(title, movie, number)
        ]
        _refuse_shared_outputs(planned, _inputs(planned))
        for one in planned:
            refuse_remote(one.job.out)
        return planned

    def _without_prompts(self, found: list[FoundMovie]) -> list[FoundMovie]:
        """Leave out what a pattern found, but is the prompts of another movie."""
        named = {user_path(text).absolute() for text in self.movies}
        prompts = {
            file.absolute()
            for movie in found
            for file in self.prompts.files(movie.path)
            if file != movie.path
        }
        return [
            one
            for one in found
            if (path := one.path.absolute()) not in prompts or path in named
        ]

    def _planned(
        self, title: str, movie: FoundMovie, number: int
    ) -> Iterator[PlannedMovie]:
        for channel in self.each_channel or (None,):
            suffix = "" if channel is None else f"-c{channel}"
            frames = self.frame_options
            if channel is not None:
                frames = frames.model_copy(update={"channels": (channel,)})
            job = TrackJob(
                movie=movie.path,
                prompts=self.prompts,
                out=Path(_filled(self.out, movie, number)),
                name=f"{self.name}{suffix}",
                frame_options=frames,
                model_options=self.model_options,
                frames=self.frames,
                direction=self.direction,
                merge=self.merge,
                embed_image=self.embed_image,
                accept_movie=self.accept_movie,
                mode=self.mode,
            )
            exports = {
                one: with_suffix(
                    _with_channel(Path(_filled(pattern, movie, number)), suffix), one
                )
                for one, pattern in self.exports.items()
            }
            planned = PlannedMovie(title=f"{title}{suffix}", job=job, exports=exports)
            yield _with_discovery(planned, self.prompts)

    def from_folder(self, folder: Path) -> Self:
        """Return the plan with paths that are relative counted from a folder."""
        movies = tuple(_joined(folder, one) for one in self.movies)
        out = self.out if self.out.startswith("{") else _joined(folder, self.out)
        exports = {
            one: pattern if pattern.startswith("{") else _joined(folder, pattern)
            for one, pattern in self.exports.items()
        }
        prompts = self.prompts
        path = getattr(prompts, "path", None)
        if path is not None:
            prompts = prompts.model_copy(update={"path": folder / path})
        changed = {"movies": movies, "out": out, "exports": exports, "prompts": prompts}
        return self.model_copy(update=changed)

    def to_json(self) -> str:
        """Return the plan as it is saved; what is as usual is left out."""
        entries = self.model_dump(mode="json", exclude_defaults=True)
        entries["prompts"] = {"kind": self.prompts.kind, **entries["prompts"]}
        return json.dumps({"version": VERSION, **entries}, indent=1) + "\n"


def read_plan(path: Path) -> BatchPlan:
    """Read a plan from its file.

    Raises
    ------
    InputError
        If it cannot be read, is no plan, or a newer version wrote it.
    """
    text = read_text(path, "JSON")
    return plan_of(text, str(path)).from_folder(path.absolute().parent)


def plan_of(text: str, where: str) -> BatchPlan:
    """Read a plan from JSON.

    Raises
    ------
    InputError
        Naming the field that is wrong.
    """
    try:
        version = _Version.model_validate_json(text).version
        if isinstance(version, int) and version > VERSION:
            raise InputError(
                f"{where}: was written by a newer napari-sam2 (version {version} of "
                f"plans, this one knows {VERSION}); update"
            )
        return BatchPlan.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        place = f"{field}: " if field else ""
        raise InputError(f"{where}: {place}{reason}; correct the plan") from error


class _Version(BaseModel):
    """The one field of a plan that says whether the others can be understood."""

    version: Any = VERSION


def _parsed(pattern: str) -> Iterable[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(Formatter().parse(pattern))
    except ValueError as error:
        raise ValueError(f"the pattern {pattern!r}: {error}") from error


def _filled(pattern: str, movie: FoundMovie, number: int) -> str:
    return pattern.format(
        movie=movie.path,
        folder=movie.folder,
        stem=movie.stem,
        number=number,
        plate=movie.plate,
        well=movie.well,
        field=movie.field,
    )


def _refuse_constant(pattern: str, count: int) -> None:
    names = {name for _, name, _, _ in _parsed(pattern)}
    if not names & {"movie", "stem", "number", "well", "field"}:
        raise InputError(
            f"the pattern {pattern!r} gives all {count} movies one output: put "
            "{stem} or {number} into it"
        )


def _inputs(planned: list[PlannedMovie]) -> dict[str, str]:
    """Return what everybody's movies and prompts are called, by their place."""
    found = {}
    for one in planned:
        for path in one.job.prompt_files:
            found[_place(path)] = f"the prompts of {one.title}"
        found[_place(one.job.movie)] = f"the movie {one.title}"
    return found


def _refuse_shared_outputs(planned: list[PlannedMovie], owners: dict[str, str]) -> None:
    """Refuse movies that would overwrite each other's results, or what is given.

    Parameters
    ----------
    owners
        Who has a place already; results are added.
    """
    for one in planned:
        for path in (one.job.out / "labels" / one.job.name, *one.exports.values()):
            key = _place(path)
            if key in owners:
                raise InputError(
                    f"{owners[key]} and the result of {one.title} have one place, "
                    f"{path}: put {{number}} or {{folder}} into the pattern, or plan "
                    "them apart"
                )
            owners[key] = f"the result of {one.title}"


def _place(path: Path) -> str:
    """Return a path by which a file is known, whatever way leads to it."""
    return os.path.normcase(os.path.realpath(path))


def _with_discovery(planned: PlannedMovie, policy: PromptPolicy) -> PlannedMovie:
    """Return a movie whose objects are found first, where the policy says so."""
    if not isinstance(policy, AutomaticPrompts):
        return planned
    job = planned.job
    folder = job.out if job.out != job.movie else job.movie / "labels"
    discovery = DiscoveryJob(
        movie=job.movie,
        prompts=folder.parent / f"{folder.stem}-{job.name}-prompts.json",
        frame_options=job.frame_options,
        model_options=job.model_options,
        options=policy.options,
        frames=job.frames,
    )
    given = job.model_copy(update={"prompts": discovery.prompts})
    return planned.model_copy(update={"job": given, "discovery": discovery})


def _titles(movies: list[FoundMovie]) -> list[str]:
    """Return a name for each movie that no other has."""
    count = Counter(movie.stem for movie in movies)
    return [
        movie.stem if count[movie.stem] == 1 else f"{movie.stem} ({movie.folder})"
        for movie in movies
    ]


def _with_channel(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.stem}{suffix}{path.suffix}") if suffix else path


def _joined(folder: Path, pattern: str) -> str:
    return remote_url(pattern) or str(folder / user_path(pattern))

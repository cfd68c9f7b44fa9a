"""What a session is, on disk: the book, and how the movie was looked at.

The document is one attribute of the group `napari-sam2/session`, replaced by one
atomic rename. Masks that people drew lie beside it (see `mask_files`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import zarr
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    model_validator,
)
from pydantic_core.core_schema import CoreSchema, is_instance_schema

from napari_sam2.errors import InputError, OutputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.movies.intensity import IntensityMapping
from napari_sam2.io.ome_zarr.zarr_nodes import (
    attributes_of,
    group_at,
    node_path,
    replace_attributes,
)
from napari_sam2.io.prompts.bounds import PromptBounds
from napari_sam2.io.sessions.book_json import BookWriter, SessionObject
from napari_sam2.session.book.state import BookState

SESSION, DOCUMENT = "session", "document"
VERSION: Literal[1] = 1

Index = Annotated[int, Field(ge=0)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())


class _AsItIs:
    """The book goes into the file as entries, and through pydantic untouched."""

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> CoreSchema:
        return is_instance_schema(BookState)


class SavedChannel(_Entry):
    """One channel that the model saw in a viewer.

    Attributes
    ----------
    color
        ``"grey"`` for one that is seen alone, else ``"red"``, ``"green"``, ``"blue"``.
    layer, index
        Name of its layer, and which of its channels; None if it has no axis of them.
    limits, gamma, invert
        How its intensities become brightness.
    """

    color: str
    layer: str
    index: Index | None
    limits: tuple[FiniteFloat, FiniteFloat]
    gamma: Annotated[float, Field(gt=0)]
    invert: bool


class InputMapping(_Entry):
    """Which movie the session is about, and what the model sees of it.

    Attributes
    ----------
    source
        Path of the movie; None if only the viewer knows it.
    layer
        Name of the image layer.
    axes
        Letters of all axes, such as ``"TCYX"``; None if unknown.
    frame_axis
        Letter of the one that holds the frames; None for a single image.
    fixed
        Index along the axes that are neither frames nor picture, by letter.
    channels
        Channels that become red, green and blue, or the one that is shown.
    intensity
        From intensities to what the model sees; None if it was never measured.
    opened_from, opened_by
        Path that the layer was opened from, and napari's name of the reader; None if
        the layer came from elsewhere.
    seen
        Channels of layers, as the window showed them to the model; empty for RGB, None
        if no window made the session.
    """

    source: str | None = None
    layer: str | None = None
    axes: str | None = None
    frame_axis: str | None = None
    fixed: dict[str, Index] = {}
    channels: tuple[Index, ...] = ()
    intensity: IntensityMapping | None = None
    calibration: Calibration = Calibration()
    opened_from: str | None = None
    opened_by: str | None = None
    seen: tuple[SavedChannel, ...] | None = None


class ModelChoice(_Entry):
    """Which model tracks.

    Attributes
    ----------
    name
        Name or path.
    image_size
        Input size in pixels; None for the model's own.
    tiles
        How closely frames are looked at: in tiles as large as objects need, or as the
        model's input, or of so many pixels; None for whole frames. What came of it
        stands in the provenance.
    """

    name: str
    image_size: Annotated[int, Field(ge=1)] | None = None
    tiles: Literal["auto", "native"] | Annotated[int, Field(ge=1)] | None = None


class SessionDocument(_Entry):
    """A session as it is saved and read.

    Attributes
    ----------
    model
        None before one was chosen.
    frame_index, selected
        Where the person was, and with which object.
    live_repair
        Whether gaps are tracked again at once.
    remarks
        What could not be restored as it was, in words; not saved.
    """

    book: Annotated[BookState, _AsItIs] = Field(default=BookState(), exclude=True)
    image: InputMapping = InputMapping()
    model: ModelChoice | None = None
    frame_index: Index = 0
    selected: Annotated[int, Field(ge=1)] | None = None
    live_repair: bool = True
    remarks: tuple[str, ...] = Field(default=(), exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _of_version_0_2(cls, entries: Any) -> Any:
        """Find what the model saw where version 0.2 saved it: beside the movie."""
        match entries:
            case {"settings": {"input": {"channels": seen}}, "image": {**image}}:
                return {**entries, "image": {"seen": seen, **image}}
        return entries


class _Stored(BaseModel):
    """What is in the file: the document with its book as entries."""

    model_config = ConfigDict(extra="ignore")

    version: Literal[1] = VERSION
    step: Index = 0
    objects: list[SessionObject] = []
    session: dict[str, Any] = {}

    @model_validator(mode="after")
    def _check(self) -> Self:
        ids = [entry.id for entry in self.objects]
        if ids != sorted(set(ids)):
            raise ValueError("object ids are not ascending and unique")
        for entry in self.objects:
            frames = [prompt.frame for prompt in entry.prompts]
            if frames != sorted(set(frames)):
                raise ValueError(
                    f"the prompts of object {entry.id} are not in the order of frames, "
                    "one a frame"
                )
        mothers = {entry.id: entry.parent for entry in self.objects}
        descended: set[int] = set()  # from somebody, and not from themselves
        for born, mother in mothers.items():
            seen = {born}
            while mother is not None and mother not in descended:
                if mother in seen:
                    raise ValueError(f"object {born} is its own mother or ancestor")
                seen.add(mother)
                mother = mothers.get(mother)
            descended |= seen
        return self

    def check_places(self, bounds: PromptBounds) -> None:
        """Refuse frames and positions that the movie does not have.

        Raises
        ------
        ValueError, InputError
            Naming the object.
        """
        for entry in self.objects:
            spans = (*entry.locked, *entry.reviewed, *entry.stale, *entry.waiting)
            ends = [stop for _, stop in spans]
            last = max(ends + [prompt.frame + 1 for prompt in entry.prompts], default=0)
            if last > bounds.frame_count:
                raise ValueError(
                    f"object {entry.id} has frame {last - 1}, and the movie has "
                    f"{bounds.frame_count}"
                )
            for prompt in entry.prompts:
                corners = [] if prompt.box is None else [prompt.box[:2], prompt.box[2:]]
                for y, x in (*(prompt.points or ()), *corners):
                    where = f"object {entry.id}, frame {prompt.frame}"
                    bounds.check_position(y, x, where)


class SessionFile:
    """The saved session of a run."""

    def __init__(
        self, run: zarr.Group, books: BookWriter, bounds: PromptBounds
    ) -> None:
        self._run = run
        self._bounds = bounds
        self._books = books
        self._group: zarr.Group | None = None

    @property
    def exists(self) -> bool:
        """Whether a session was saved."""
        node = self._run.get(SESSION)
        return isinstance(node, zarr.Group) and DOCUMENT in node.attrs

    def write(self, document: SessionDocument, step: int) -> None:
        """Replace the saved session, by one atomic write."""
        stored = _Stored.model_construct(
            version=VERSION,
            step=step,
            objects=[self._books.entry(state) for state in document.book.objects],
            session=document.model_dump(mode="json"),
        )
        text = stored.model_dump_json(exclude_defaults=True)
        if self._group is None:
            self._group = self._run.require_group(SESSION)
        # As text: zarr indents attributes, which takes a hundred times as long.
        replace_attributes(self._group, {"version": VERSION, DOCUMENT: text})

    def read(self) -> tuple[SessionDocument, int] | None:
        """Return the saved session and the step that it was saved at, or None.

        Raises
        ------
        OutputError
            If it is damaged, or a later version wrote it.
        """
        if not self.exists:
            return None
        node = group_at(self._run, SESSION)
        where = node_path(self._run, SESSION)
        attributes = attributes_of(node)
        if attributes.get("version") != VERSION:
            raise OutputError(
                f"{where}: was saved by a newer napari-sam2 (version "
                f"{attributes.get('version')}); update"
            )
        try:
            stored = _Stored.model_validate_json(str(attributes[DOCUMENT]))
            stored.check_places(self._bounds)
            document = SessionDocument.model_validate(stored.session)
            states = tuple(self._books.state(entry) for entry in stored.objects)
        except (ValidationError, ValueError, InputError) as error:
            raise OutputError(
                f"{where}: the saved session is damaged{_reason(error)}; restore this "
                "folder from a copy, or move it elsewhere, and the masklets open "
                "without it"
            ) from error
        return document.model_copy(update={"book": BookState(states)}), stored.step


def _reason(error: ValueError | InputError) -> str:
    """Return what our own checks say of a document, for people."""
    if isinstance(error, ValidationError):
        fault = error.errors()[0]
        raised = fault.get("ctx", {}).get("error")
        return f" ({raised})" if isinstance(raised, ValueError) else ""
    return f" ({error})"

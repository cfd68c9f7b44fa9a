"""What a training run does: frozen, read from a TOML file, kept with the checkpoint."""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from napari_sam2.errors import InputError
from napari_sam2.model.config import CONFIGS
from napari_sam2.paths import read_text
from napari_sam2.tracking.precision import is_device
from napari_sam2.train.recipe.loss_weights import PRESETS, LossWeights
from napari_sam2.train.recipe.typed_tables import (
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Probability,
    Rule,
    Share,
    as_table,
    build,
    check,
    is_number,
    one_of,
    refuse,
    take_tables,
)

Schedule = Literal["constant", "linear", "cosine"]
SourceKind = Literal[
    "folder", "simulator", "masklets", "ctc", "sav", "davis", "coco", "tracks"
]
Trust = Literal["all", "locked", "reviewed"]

SIDE_STEP = 32
"""The deepest level of the image trunk sees a pixel for so many of the crop."""

Side = Annotated[
    int,
    Rule(f"a multiple of {SIDE_STEP}", lambda side: side > 0 and side % SIDE_STEP == 0),
]
Device = Annotated[str, Rule('a device of torch such as "cpu" or "cuda"', is_device)]
Range = Annotated[
    tuple[float, float],
    Rule(
        "two numbers above 0, the smaller one first",
        lambda pair: (
            isinstance(pair, tuple)
            and len(pair) == 2
            and all(map(is_number, pair))
            and 0 < pair[0] <= pair[1]
        ),
    ),
]


@dataclass(frozen=True, slots=True)
class PromptMix:
    """How often each kind of prompt is simulated; the weights need not sum to 1.

    Attributes
    ----------
    click, clicks, box, coarse, mask
        One positive click; two clicks, of which the second says "this too" or "not
        this"; a jittered box; the object's filled box through the dense mask prompt
        (images only); the true mask as the anchor (clips only).
    nothing
        A click on background: the presence head has to say "nothing here".
    """

    click: NonNegativeFloat = 0.3
    box: NonNegativeFloat = 0.3
    coarse: NonNegativeFloat = 0.4
    mask: NonNegativeFloat = 0.0
    nothing: NonNegativeFloat = 0.05
    clicks: NonNegativeFloat = 0.0

    def __post_init__(self) -> None:
        check("prompts", self)


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of a run.

    Attributes
    ----------
    name
        Written to the log.
    steps
        Optimiser steps.
    frames
        Frames per clip; 1 trains prompt → mask on single images.
    image_every
        In a stage of clips every n-th step is one of single images; 0 never.
    size, other_sizes
        Side of the square crops, a multiple of 32. With other sizes each step draws one
        of them all; the diameters grow in proportion.
    crops, objects
        Crops (or clips) per step, and objects per crop.
    image_crops, image_objects
        The same for the steps of single images inside a stage of clips.
    diameter
        Range, in pixels of the crop, of the diameter that the crop's central object is
        scaled to (log-uniform); at most the crop's size.
    motion
        Scales all motion; 1 moves a cell by up to about 4 % of the crop per frame. Each
        clip draws its own strength up to this.
    deformation
        Scales changes of shape beside ``motion``. Spread cells in phase contrast need
        about 2: real ones lose half their shape in ten frames.
    absence
        Probability that an object of a clip vanishes or is covered on some frames.
    reverse
        Probability that a clip runs backwards.
    division
        Probability that an object of a clip divides: it is absent from then on.
    touching
        Probability that the objects of a clip are one that touches others, and these.
    anchors
        Up to so many frames of a clip are prompted at first: the first, and others.
    corrections, correction_clicks, correcting
        In a part ``correcting`` of the steps, up to ``corrections`` frames of a clip
        (or a single image, if this is not 0) get up to ``correction_clicks`` further
        clicks on what is wrong, one after the other.
    learning_rate, warmup, schedule, final_fraction
        Linear warm-up over ``warmup`` steps, then constant, or decaying to
        ``final_fraction`` of the rate at the stage's end.
    dense
        Weight of the dense task (`napari_sam2.train.passes.dense`); 0 leaves it out.
    prompts
        Mix of simulated prompts.
    """

    name: str
    steps: PositiveInt
    frames: PositiveInt = 1
    image_every: NonNegativeInt = 0
    size: Side = 128
    other_sizes: tuple[Side, ...] = ()
    crops: PositiveInt = 4
    objects: PositiveInt = 16
    image_crops: PositiveInt = 4
    image_objects: PositiveInt = 8
    diameter: Range = (12.0, 56.0)
    motion: NonNegativeFloat = 1.0
    deformation: NonNegativeFloat = 1.0
    absence: Share = 0.3
    reverse: Share = 0.5
    division: Share = 0.0
    touching: Share = 0.0
    anchors: PositiveInt = 1
    corrections: NonNegativeInt = 0
    correction_clicks: PositiveInt = 7
    correcting: Share = 0.5
    learning_rate: NonNegativeFloat = 1e-3
    warmup: NonNegativeInt = 0
    schedule: Schedule = "constant"
    final_fraction: Share = 0.02
    dense: NonNegativeFloat = 1.0
    prompts: PromptMix = field(default_factory=PromptMix)

    def __post_init__(self) -> None:
        check(self.where, self)
        if self.diameter[1] > self.size:
            words = f"at most the size of the crop, {self.size}"
            refuse(self.where, "diameter", self.diameter, words)

    @property
    def where(self) -> str:
        """What messages call this stage."""
        return f"[[stages]] {self.name!r}"

    def at_size(self, size: int) -> Stage:
        """Return this stage with crops of another size that show the same."""
        low, high = (diameter * size / self.size for diameter in self.diameter)
        return replace(self, size=size, diameter=(low, high))

    def rate(self, step: int) -> float:
        """Return the learning rate of a step (0, 1, …) of this stage."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        shape = {
            "constant": 1.0,
            "linear": 1.0 - done,
            "cosine": 0.5 * (1.0 + math.cos(math.pi * done)),
        }[self.schedule]
        return self.learning_rate * (
            self.final_fraction + (1.0 - self.final_fraction) * shape
        )


@dataclass(frozen=True, slots=True)
class Source:
    """A collection of labelled images or movies.

    Attributes
    ----------
    name
        Of the collection, used in the log and the split.
    kind
        ``"simulator"``: ``count`` movies from `napari_sam2.synthetic`. Otherwise how
        files are laid out: ``"folder"`` (``images/`` and ``masks/`` with equal names),
        ``"masklets"`` (an OME-Zarr that this plugin wrote), ``"ctc"`` (Cell Tracking
        Challenge), ``"sav"`` (SA-V), ``"davis"``, ``"coco"``, ``"tracks"``
        (``movie.tif`` and ``tracks.tif``).
    weight
        Share of the crops that come from here.
    path
        Folder, or COCO's ``.json``, relative to the recipe.
    images
        COCO's folder of pictures; the movie of masklets, if it is another file.
    holdout
        Text file, relative to the recipe, naming what is kept for validation.
    count
        Movies to simulate.
    invert
        Probability that contrast is inverted.
    trust
        Masklets that teach: ``"all"``, ``"locked"``, or ``"reviewed"``.
    max_side, frames
        Larger pictures are shrunk by a whole factor to at most this side; of a movie
        with tracks only so many frames are read; 0 for no such limit.
    """

    name: str
    kind: SourceKind
    weight: NonNegativeFloat
    path: str = ""
    images: str = ""
    holdout: str = ""
    count: NonNegativeInt = 0
    invert: Share = 0.2
    trust: Trust = "all"
    max_side: NonNegativeInt = 0
    frames: NonNegativeInt = 0

    def __post_init__(self) -> None:
        check(f"[[sources]] {self.name!r}", self)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A whole run.

    Attributes
    ----------
    model
        Row of `napari_sam2.model.config.CONFIGS` that can be trained.
    stages, sources
        What is done, on what.
    seed
        Of the first weights and of every step's random numbers.
    weight_decay, clip_norm, ema_decay
        AdamW, gradient clipping and the moving average of weights that is exported.
    losses
        Weights of the losses: a preset of `napari_sam2.train.passes.losses`, changed.
    precision
        ``"fp32"`` or ``"bf16"`` (autocast).
    base
        Weights to start from: a model's name or a file, relative to the recipe if it
        has a slash; empty for random ones.
    freeze
        ``"nothing"``, ``"trunk"``, or ``"all_but_decoder"``.
    lora_rank
        Rank of the corrections of attention that alone are trained; 0 trains the
        weights themselves.
    trunk_rate, layer_decay
        Learning rate of the image encoder in parts of the rate; the rate of each block
        of the trunk in parts of the one above.
    drop_path, dropout
        Probabilities that branches of the trunk are skipped (it grows from 0 at the
        first block), and that numbers which the memory attention adds are zeroed.
    save_memory
        Compute trunk and memory attention twice instead of keeping what lies between.
    device
        ``"cpu"``, ``"cuda"``, or another that the network runs on.
    threads
        torch threads; 0 leaves torch's own choice.
    loaders
        Processes that draw the batches of coming steps while a GPU computes, in each
        process that trains; 0 draws each when it is needed. The bytes are the same.
    checkpoint_every, validate_every
        In steps, 1 or more; the last step always does both.
    initialisation
        ``"local"`` starts attention so that equal positions attend to each other;
        ``"default"`` leaves the modules' own start.
    """

    model: Annotated[
        str, one_of(*(name for name, row in CONFIGS.items() if row.can_be_trained))
    ]
    stages: tuple[Stage, ...]
    sources: tuple[Source, ...]
    losses: LossWeights = field(default_factory=LossWeights)
    seed: NonNegativeInt = 0
    weight_decay: NonNegativeFloat = 0.02
    clip_norm: PositiveFloat = 1.0
    ema_decay: Share = 0.998
    precision: Literal["fp32", "bf16"] = "fp32"
    base: str = ""
    freeze: Literal["nothing", "trunk", "all_but_decoder"] = "nothing"
    lora_rank: NonNegativeInt = 0
    trunk_rate: NonNegativeFloat = 1.0
    layer_decay: NonNegativeFloat = 1.0
    drop_path: Probability = 0.0
    dropout: Probability = 0.0
    save_memory: bool = False
    device: Device = "cpu"
    threads: NonNegativeInt = 0
    loaders: NonNegativeInt = 0
    checkpoint_every: PositiveInt = 200
    validate_every: PositiveInt = 500
    initialisation: Literal["local", "default"] = "local"

    def __post_init__(self) -> None:
        check("recipe", self)
        for stage in self.stages:
            if stage.frames == 1 or stage.image_every:
                _check_prompts(stage, "coarse", "single images")
            if stage.frames > 1 and stage.image_every != 1:
                _check_prompts(stage, "mask", "clips")
        _check_sources(self.sources)

    @property
    def total_steps(self) -> int:
        """Steps of all stages together."""
        return sum(stage.steps for stage in self.stages)


def _check_prompts(stage: Stage, kind: str, prompted: str) -> None:
    """Check that what is prompted can be, by a kind besides clicks and boxes."""
    possible = ("click", "clicks", "box", kind)
    if not any(getattr(stage.prompts, name) > 0 for name in possible):
        raise InputError(
            f"{stage.where}: prompts gives none to {prompted}: one of "
            f"{', '.join(possible)} must be above 0"
        )


def _check_sources(sources: tuple[Source, ...]) -> None:
    for name, count in Counter(source.name for source in sources).items():
        if count > 1:
            raise InputError(
                f"[[sources]]: {count} are called {name!r}; what is held out goes by "
                "these names: give each its own"
            )
    if not any(source.weight > 0 for source in sources):
        raise InputError("[[sources]]: the weight of at least one must be above 0")


def read_config(path: Path) -> TrainConfig:
    """Read a recipe.

    Parameters
    ----------
    path
        TOML file; ``[[stages]]`` and ``[[sources]]`` are lists of tables.

    Raises
    ------
    InputError
        If the file is missing or no TOML, or a field is unknown, missing or wrong.
    """
    try:
        table = tomllib.loads(read_text(path, "TOML"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: no valid TOML ({error})") from error
    where = str(path)
    stages = [_stage(where, entry) for entry in take_tables(where, table, "stages")]
    sources = [
        build(where, "[[sources]]", Source, entry)
        for entry in take_tables(where, table, "sources")
    ]
    losses = _losses(where, table.pop("losses", {}))
    base = table.get("base")
    if isinstance(base, str) and "/" in base:
        table["base"] = str(path.parent / base)
    values = {**table, "stages": stages, "sources": sources, "losses": losses}
    return build(where, "the recipe", TrainConfig, values)


def _losses(where: str, entry: Any) -> LossWeights:
    """Read ``[losses]``: a preset, and what differs from it."""
    values = as_table(where, "[losses]", entry)
    name = values.pop("preset", "paper")
    if not isinstance(name, str) or name not in PRESETS:
        raise InputError(
            f"{where}: [losses] has no preset {name!r}; known: {', '.join(PRESETS)}"
        )
    return build(where, "[losses]", LossWeights, {**asdict(PRESETS[name]), **values})


def _stage(where: str, entry: Any) -> Stage:
    values = as_table(where, "[[stages]]", entry)
    if "prompts" in values:
        here = f"{where}: [[stages]] {values.get('name')!r}"
        values["prompts"] = build(here, "prompts", PromptMix, values["prompts"])
    return build(where, "[[stages]]", Stage, values)

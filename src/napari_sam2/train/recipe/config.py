"""What a training run does: frozen, read from a TOML file, kept with the checkpoint."""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from napari_sam2.errors import InputError
from napari_sam2.model.config import CONFIGS
from napari_sam2.train.recipe.checks import (
    ABOVE_0,
    AT_LEAST_0,
    AT_LEAST_1,
    BELOW_1,
    SHARE,
    SIDE,
    Rules,
    check_device,
    check_diameter,
    check_fields,
    check_prompts,
    check_sides,
    one_of,
)
from napari_sam2.train.recipe.loss_weights import PRESETS, LossWeights
from napari_sam2.train.recipe.toml_tables import as_table, build, take_tables

Schedule = Literal["constant", "linear", "cosine"]
SourceKind = Literal["folder", "simulator", "masklets", "ctc", "sav", "davis", "coco"]
Trust = Literal["all", "locked", "reviewed"]

PROMPT_RULES: Rules = {AT_LEAST_0: "click box coarse mask nothing clicks"}
STAGE_RULES: Rules = {
    AT_LEAST_1: (
        "steps frames crops objects image_crops image_objects anchors correction_clicks"
    ),
    AT_LEAST_0: (
        "image_every motion deformation corrections learning_rate warmup dense"
    ),
    SHARE: "absence reverse division correcting final_fraction",
    SIDE: "size",
    one_of(get_args(Schedule)): "schedule",
}
SOURCE_RULES: Rules = {
    one_of(get_args(SourceKind)): "kind",
    one_of(get_args(Trust)): "trust",
    AT_LEAST_0: "weight count max_side",
    SHARE: "invert",
}
RECIPE_RULES: Rules = {
    one_of(tuple(CONFIGS)): "model",
    one_of(("fp32", "bf16")): "precision",
    one_of(("nothing", "trunk", "all_but_decoder")): "freeze",
    one_of(("local", "default")): "initialisation",
    AT_LEAST_0: "seed weight_decay lora_rank trunk_rate layer_decay threads",
    AT_LEAST_1: "checkpoint_every validate_every",
    ABOVE_0: "clip_norm",
    SHARE: "ema_decay",
    BELOW_1: "drop_path dropout",
}


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

    click: float = 0.3
    box: float = 0.3
    coarse: float = 0.4
    mask: float = 0.0
    nothing: float = 0.05
    clicks: float = 0.0

    def __post_init__(self) -> None:
        check_fields("prompts", self, PROMPT_RULES)


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
    steps: int
    frames: int = 1
    image_every: int = 0
    size: int = 128
    other_sizes: tuple[int, ...] = ()
    crops: int = 4
    objects: int = 16
    image_crops: int = 4
    image_objects: int = 8
    diameter: tuple[float, float] = (12.0, 56.0)
    motion: float = 1.0
    deformation: float = 1.0
    absence: float = 0.3
    reverse: float = 0.5
    division: float = 0.0
    anchors: int = 1
    corrections: int = 0
    correction_clicks: int = 7
    correcting: float = 0.5
    learning_rate: float = 1e-3
    warmup: int = 0
    schedule: Schedule = "constant"
    final_fraction: float = 0.02
    dense: float = 1.0
    prompts: PromptMix = field(default_factory=PromptMix)

    def __post_init__(self) -> None:
        check_fields(self.where, self, STAGE_RULES)
        check_sides(self.where, self.other_sizes)
        check_diameter(self.where, self.diameter, self.size)

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
        Challenge), ``"sav"`` (SA-V), ``"davis"``, ``"coco"``.
    weight
        Share of the crops that come from here.
    path
        Folder, or COCO's ``.json``, relative to the recipe.
    images
        COCO's folder of pictures; the movie of masklets, if it is another file.
    holdout
        Text file, relative to the recipe, naming the images or movies kept for
        validation.
    count
        Movies to simulate.
    invert
        Probability that contrast is inverted.
    trust
        Masklets that teach: ``"all"``, ``"locked"``, or ``"reviewed"``.
    max_side
        Larger pictures are shrunk by a whole factor to at most this; 0 for never.
    """

    name: str
    kind: SourceKind
    weight: float
    path: str = ""
    images: str = ""
    holdout: str = ""
    count: int = 0
    invert: float = 0.2
    trust: Trust = "all"
    max_side: int = 0

    def __post_init__(self) -> None:
        check_fields(f"[[sources]] {self.name!r}", self, SOURCE_RULES)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A whole run.

    Attributes
    ----------
    model
        Row of `napari_sam2.model.config.CONFIGS`.
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
        ``"cpu"``, ``"cuda"``, or any of torch's.
    threads
        torch threads; 0 leaves torch's own choice.
    checkpoint_every, validate_every
        In steps, 1 or more; the last step always does both.
    initialisation
        ``"local"`` starts attention so that equal positions attend to each other;
        ``"default"`` leaves the modules' own start.
    """

    model: str
    stages: tuple[Stage, ...]
    sources: tuple[Source, ...]
    losses: LossWeights = field(default_factory=LossWeights)
    seed: int = 0
    weight_decay: float = 0.02
    clip_norm: float = 1.0
    ema_decay: float = 0.998
    precision: Literal["fp32", "bf16"] = "fp32"
    base: str = ""
    freeze: Literal["nothing", "trunk", "all_but_decoder"] = "nothing"
    lora_rank: int = 0
    trunk_rate: float = 1.0
    layer_decay: float = 1.0
    drop_path: float = 0.0
    dropout: float = 0.0
    save_memory: bool = False
    device: str = "cpu"
    threads: int = 0
    checkpoint_every: int = 200
    validate_every: int = 500
    initialisation: Literal["local", "default"] = "local"

    def __post_init__(self) -> None:
        check_fields("recipe", self, RECIPE_RULES)
        check_device("recipe", self.device)
        for stage in self.stages:
            shares = asdict(stage.prompts)
            if stage.frames == 1 or stage.image_every:
                check_prompts(stage.where, shares, "coarse", "single images")
            if stage.frames > 1 and stage.image_every != 1:
                check_prompts(stage.where, shares, "mask", "clips")
        _check_sources(self.sources)

    @property
    def total_steps(self) -> int:
        """Steps of all stages together."""
        return sum(stage.steps for stage in self.stages)


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
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: no valid TOML ({error})") from error
    where = str(path)
    stages = tuple(_stage(where, one) for one in take_tables(where, table, "stages"))
    sources = tuple(
        build(where, "[[sources]]", Source, one)
        for one in take_tables(where, table, "sources")
    )
    losses = _losses(where, table.pop("losses", {}))
    if "/" in str(table.get("base", "")):
        table["base"] = str(path.parent / table["base"])
    values = {**table, "stages": stages, "sources": sources, "losses": losses}
    return build(where, "the recipe", TrainConfig, values)


def _losses(where: str, entry: Any) -> LossWeights:
    """Read ``[losses]``: a preset, and what differs from it."""
    values = as_table(where, "[losses]", entry)
    name = values.pop("preset", "paper")
    if name not in PRESETS:
        raise InputError(
            f"{where}: [losses] has no preset {name!r}; known: {', '.join(PRESETS)}"
        )
    return build(where, "[losses]", LossWeights, {**asdict(PRESETS[name]), **values})


def _stage(where: str, entry: Any) -> Stage:
    values = as_table(where, "[[stages]]", entry)
    if "prompts" in values:
        here = f"{where}: [[stages]] {values.get('name')!r}"
        values["prompts"] = build(here, "prompts", PromptMix, values["prompts"])
    for name in ("diameter", "other_sizes"):
        if isinstance(values.get(name), list):
            values[name] = tuple(values[name])
    return build(where, "[[stages]]", Stage, values)

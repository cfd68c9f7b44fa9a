"""The variants of the network, as rows of a table.

One frozen `Sam2Config` decides every shape. Only what the released weights use is a
field; everything that is equal in all of them (six recent memories, the scale of mask
logits, the number of mask tokens) is a constant beside the code that uses it.
Source: sam2-spec §1.1, §1.12, §1.14.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

FrameFit = Literal["squash", "pad"]
"""How frames come into the square input: squashed, or filled up with black below or to
the right."""

STRIDE = 16
"""Pixels of the model's input per token of the embedding."""

SIZE_STEP = 32
"""The side of the model's input is a multiple of it, the trunk's coarsest stride."""

LOGIT_STRIDE = 4
"""Pixels of the model's input per pixel of the low-resolution mask logits."""

RECENT_MEMORIES = 6
"""Spatial memories of recent frames in attention; anchors come on top."""

MAX_POINTERS = 16
"""Object pointers: distances up to this minus one take part in attention."""


@dataclass(frozen=True, slots=True)
class TrunkConfig:
    """The image trunk: a timm model that gives maps at strides 4, 8, 16 and 32.

    Attributes
    ----------
    timm_name
        Name in timm's registry; built without pretrained weights.
    channels
        Channels of the four maps, fine to coarse.
    options
        Further keyword arguments of timm's constructor.
    frozen_norm
        Whether batch norms keep the statistics that they came with, in training, too.
    """

    timm_name: str
    channels: tuple[int, int, int, int]
    options: Mapping[str, object] = field(default_factory=dict)
    frozen_norm: bool = False


@dataclass(frozen=True, slots=True)
class VitConfig:
    """The image trunk: a plain vision transformer that gives one map, at stride 16.

    Attributes
    ----------
    channels
        Of its one map, and of all tokens.
    heads, depth
        Of each attention; number of blocks.
    window
        Side in tokens of the windows that most blocks look within.
    whole
        Numbers of the blocks that see the whole map.
    """

    channels: tuple[int]
    heads: int
    depth: int = 12
    window: int = 14
    whole: tuple[int, ...] = (2, 5, 8, 11)


@dataclass(frozen=True, slots=True)
class EdgeNextConfig:
    """The image trunk: an EdgeNeXt that gives maps at strides 4, 8, 16 and 32.

    Attributes
    ----------
    channels
        Of the four maps, fine to coarse.
    depths, heads
        Blocks of each stage; heads of attention.
    """

    channels: tuple[int, int, int, int]
    depths: tuple[int, int, int, int] = (2, 2, 6, 2)
    heads: int = 4


@dataclass(frozen=True, slots=True)
class LiteStage:
    """A row of blocks of an EfficientNet-Lite that have one width and one kernel."""

    depth: int
    kernel: int
    stride: int
    channels: int


@dataclass(frozen=True, slots=True)
class EfficientNetLiteConfig:
    """The image trunk: an EfficientNet-Lite that gives maps at strides 4, 8, 16 and 32.

    Attributes
    ----------
    stem
        Channels at stride 2, before the first stage.
    growth
        How many times wider blocks are inside, but those of the first stage.
    stages
        Lite0's.
    """

    stem: int = 32
    growth: int = 6
    stages: tuple[LiteStage, ...] = (
        LiteStage(1, 3, 1, 16),
        LiteStage(2, 3, 2, 24),
        LiteStage(2, 5, 2, 40),
        LiteStage(3, 3, 2, 80),
        LiteStage(3, 5, 1, 112),
        LiteStage(4, 5, 2, 192),
        LiteStage(1, 3, 1, 320),
    )

    @property
    def maps(self) -> tuple[int, ...]:
        """Numbers of the last stages at the four strides, fine to coarse."""
        strides = [stage.stride for stage in self.stages[1:]] + [2]
        return tuple(i for i, after in enumerate(strides) if after == 2 and i)

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the four maps, fine to coarse."""
        return tuple(self.stages[number].channels for number in self.maps)


Pooling = Literal["none", "scores", "keys"]
"""How memories of several frames are shortened before they are looked at: not, or each
two by two tokens as their mean, which counts fourfold, by its score or by its key."""


@dataclass(frozen=True, slots=True)
class Sam2Config:
    """Everything that decides the network's shapes and rules.

    Attributes
    ----------
    name
        Key in `CONFIGS`.
    image_size
        Side of the square input in pixels that the weights were trained for.
    hidden_dim
        Channels of embeddings, tokens and object pointers.
    memory_dim
        Channels of a spatial memory; divides ``hidden_dim``.
    memory_attention_layers, feedforward_dim
        Depth of the memory attention; width of all feed-forward layers.
    absent_memory
        Mark the memory of absent objects with a learned embedding (2.1).
    pointer_time
        Tell pointers apart by their signed distance in time (2.1).
    one_component
        Whether objects are best followed as one component unless a person drew more:
        masks of these weights spill into neighbours that touch.
    free_order
        Whether sums may be taken in another order than official SAM 2 takes them, where
        that is less work and no gradients are wanted. Results round otherwise, so no
        for weights that have an official counterpart, unless a person asks for it
        (`checkpoints.checkpoint.in_free_order`).
    frame_fit
        How the frames that the weights were trained on lay in the square.
    latents
        Side of the grid of latents that a spatial memory is compressed to (as many
        again know all of it); None where it is kept as it is.
    """

    name: str
    trunk: TrunkConfig | VitConfig | EdgeNextConfig | EfficientNetLiteConfig
    image_size: int = 1024
    hidden_dim: int = 256
    memory_dim: int = 64
    memory_attention_layers: int = 4
    feedforward_dim: int = 2048
    absent_memory: bool = True
    pointer_time: bool = True
    one_component: bool = False
    free_order: bool = False
    frame_fit: FrameFit = "squash"
    pooling: Pooling = "none"
    latents: int | None = None

    @property
    def can_be_trained(self) -> bool:
        """Whether `napari_sam2.train` knows how: of networks of others it does not."""
        is_plain = self.pooling == "none" and self.latents is None
        return is_plain and self.has_fine_maps

    @property
    def size_step(self) -> int:
        """What the side of the input is a multiple of."""
        return SIZE_STEP if self.latents is None else self.latents * STRIDE

    def memory_grid(self, image_size: int) -> tuple[int, int]:
        """Return the rows and columns of a spatial memory for a side of the input."""
        if self.latents is not None:
            return 2 * self.latents, self.latents
        return image_size // STRIDE, image_size // STRIDE

    @property
    def has_fine_maps(self) -> bool:
        """Whether the trunk gives maps finer than the embedding."""
        return len(self.trunk.channels) > 1

    @property
    def high_res_dims(self) -> tuple[int, int]:
        """Channels of the stride-4 and stride-8 maps that the mask decoder reads."""
        return self.hidden_dim // 8, self.hidden_dim // 4


_TRUNKS = {
    "tiny": TrunkConfig("sam2_hiera_tiny", (96, 192, 384, 768)),
    "small": TrunkConfig("sam2_hiera_small", (96, 192, 384, 768)),
    "base_plus": TrunkConfig("sam2_hiera_base_plus", (112, 224, 448, 896)),
    "large": TrunkConfig("sam2_hiera_large", (144, 288, 576, 1152)),
}

_TOY_TRUNK = TrunkConfig(
    "sam2_hiera_tiny",
    (16, 32, 64, 128),
    {
        "embed_dim": 16,
        "num_heads": 1,
        "stages": (1, 1, 3, 1),
        "global_att_blocks": (3,),
    },
)


def _nano(name: str, trunk: EdgeNextConfig | EfficientNetLiteConfig) -> Sam2Config:
    return Sam2Config(
        name,
        trunk,
        image_size=256,
        hidden_dim=128,
        memory_dim=32,
        memory_attention_layers=2,
        feedforward_dim=512,
        one_component=True,
        free_order=True,
    )


def _official() -> dict[str, Sam2Config]:
    configs = {}
    for size, trunk in _TRUNKS.items():
        configs[f"sam2.1_{size}"] = Sam2Config(f"sam2.1_{size}", trunk)
        configs[f"sam2_{size}"] = Sam2Config(
            f"sam2_{size}", trunk, absent_memory=False, pointer_time=False
        )
    return configs


_TAM_TRUNKS = {"ti": VitConfig((192,), 3), "s": VitConfig((384,), 6)}
_TAM_POOLING: dict[str, Pooling] = {"": "none", "_1": "scores", "_2": "keys"}


def _efficienttam() -> dict[str, Sam2Config]:
    configs = {}
    for size, trunk in _TAM_TRUNKS.items():
        for ending, pooling in _TAM_POOLING.items():
            name = f"efficienttam_{size}{ending}"
            configs[name] = Sam2Config(
                name, trunk, absent_memory=False, pointer_time=False, pooling=pooling
            )
    return configs


CONFIGS: dict[str, Sam2Config] = {
    **_official(),
    **_efficienttam(),
    "edgetam": Sam2Config(
        "edgetam",
        TrunkConfig("repvit_m1", (48, 96, 192, 384), frozen_norm=True),
        memory_attention_layers=2,
        absent_memory=False,
        pointer_time=False,
        latents=16,
    ),
    "nano": _nano("nano", EdgeNextConfig((24, 48, 88, 168))),
    "nano_lite": _nano("nano_lite", EfficientNetLiteConfig()),
    "toy": Sam2Config(
        "toy",
        _TOY_TRUNK,
        image_size=64,
        hidden_dim=32,
        memory_dim=8,
        memory_attention_layers=1,
        feedforward_dim=64,
    ),
}

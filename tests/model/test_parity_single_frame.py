"""On single frames every number equals the official implementation's.

Both networks hold the same random weights and run in float32 on the CPU. A prompt goes
through all that follows it: masks, scores, pointers, and memories.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

pytest.importorskip("sam2", reason="the reference implementation is not installed")

from tests.model.official import Scene, as_tokens, make_scene, smooth_images

from napari_sam2.model.checkpoints.official_keys import rename_key
from napari_sam2.model.config import MAX_POINTERS
from napari_sam2.model.mask_decoder import stability, upsample_logits
from napari_sam2.model.memory_attention import ANCHOR_TIME, MemorySelection
from napari_sam2.model.prompt_encoder import PromptTensors
from napari_sam2.model.sam2 import Decoded, ImageEmbedding

Record = Callable[[str, float], None]

TOLERANCE = 1e-4

# Variant, side of the input, frames, and the seed of weights and frames.
SCENES = (
    ("sam2.1_tiny", 256, 2, 1),
    ("sam2_tiny", 256, 2, 1),
    ("sam2.1_small", 256, 2, 1),
    ("sam2.1_base_plus", 256, 2, 2),
    ("sam2.1_large", 256, 2, 2),
    ("sam2.1_tiny", 1024, 1, 1),
)

# Labels of each object's points; a box is its corners (2, 3), then come the clicks.
CLICKS = {
    "no prompt": (),
    "single click": (1,),
    "several clicks": (1, 0, 1),
    "box": (2, 3),
    "box and clicks": (2, 3, 1, 0),
}


@pytest.fixture(scope="module", params=SCENES, ids=lambda p: f"{p[0]}-{p[1]}")
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    name, size, frames, seed = request.param
    with torch.inference_mode():
        yield make_scene(name, smooth_images(frames, size, seed), seed)


@pytest.fixture
def objects(scene: Scene) -> int:
    return 8 if scene.image_size == 256 else 4


def test_weights_fit_both_ways(scene: Scene) -> None:
    official = scene.official.state_dict()
    ours = scene.ours.state_dict()
    scene.ours.load_state_dict({rename_key(k): official[k] for k in official})
    renamed = {rename_key(k, to_official=True): ours[k] for k in ours}
    scene.official.load_state_dict(renamed)
    assert renamed.keys() == official.keys()
    assert all(torch.equal(renamed[key], official[key]) for key in official)


def test_image_features(scene: Scene, record_number: Record) -> None:
    finest, fine, features = scene.official_maps
    ours = scene.embedding
    record = Comparison(record_number)
    record("features at stride 4", ours.high_res[0], finest)
    record("features at stride 8", ours.high_res[1], fine)
    record("features at stride 16", ours.features, features)


@pytest.mark.parametrize("kind", CLICKS)
def test_clicks_and_boxes(
    scene: Scene, objects: int, kind: str, record_number: Record
) -> None:
    prompts = draw_points(scene, objects, CLICKS[kind])
    embedding, maps = on_frames(scene, objects)
    multimask = len(CLICKS[kind]) <= 1
    features = scene.ours.condition(embedding, None)
    decoded = scene.ours.decode(features, embedding, prompts)
    official = official_heads(scene, maps, prompts, multimask=multimask)
    compare_answers(decoded, official, Comparison(record_number))


def test_correction_of_earlier_logits(
    scene: Scene, objects: int, record_number: Record
) -> None:
    prompts = draw_points(scene, objects, (1, 0))
    side = scene.image_size // 4
    logits = 8 * smooth_images(objects, side, seed=3)[:, :1]
    prompts = PromptTensors(prompts.points, prompts.labels, logits.clamp(-32, 32))
    embedding, maps = on_frames(scene, objects)
    features = scene.ours.condition(embedding, None)
    decoded = scene.ours.decode(features, embedding, prompts)
    official = official_heads(scene, maps, prompts, multimask=False)
    compare_answers(decoded, official, Comparison(record_number))


def test_candidates_and_choice(
    scene: Scene, objects: int, record_number: Record
) -> None:
    embedding, maps = on_frames(scene, objects)
    features = scene.ours.condition(embedding, None)
    record = Comparison(record_number)

    prompts = draw_points(scene, objects, (1,))
    decoded = scene.ours.decode(features, embedding, prompts)
    candidates, _, ious, *_ = official_heads(scene, maps, prompts, multimask=True)
    present = decoded.object_score > 0
    record("candidates", decoded.raw.logits[present, 1:], candidates[present])
    record("their predicted IoU", decoded.raw.predicted_iou[:, 1:], ious)
    assert len(set(ious.argmax(dim=1).tolist())) > 1  # not always the same candidate

    stable: list[bool] = []
    for labels in ((2, 3), (1, 0, 1), (2, 3, 1, 0)):
        prompts = draw_points(scene, objects, labels)
        decoded = scene.ours.decode(features, embedding, prompts)
        masks = official_heads(scene, maps, prompts, multimask=False)[0]
        stable += (stability(decoded.raw.logits[:, 0], 0.05) >= 0.98).tolist()
        record("single mask or its replacement", decoded.logits, masks[:, 0])
    assert set(stable) == {True, False}  # both ways of choosing occur


def test_mask_prompt(scene: Scene, objects: int, record_number: Record) -> None:
    embedding, maps = on_frames(scene, objects)
    masks = (smooth_images(objects, scene.image_size, seed=5)[:, :1] > 0).float()
    masks[-1] = 0  # an empty mask says that the object is absent
    decoded = scene.ours.decode_mask(embedding, masks)
    official = scene.official._use_mask_as_output(maps[2], maps[:2], masks)
    record = Comparison(record_number)
    record("logits", decoded.logits, official[3][:, 0])
    record("predicted IoU", decoded.predicted_iou, official[2][:, 0])
    record("pointer", decoded.pointer, official[5])
    record("object score", decoded.object_score, official[6][:, 0])
    assert decoded.object_score.unique().tolist() == [-10, 10]


@pytest.mark.parametrize("prompted", [True, False])
def test_memory_before_and_after_rounding(
    scene: Scene, objects: int, prompted: bool, record_number: Record
) -> None:
    embedding, maps = on_frames(scene, objects)
    masks = 10 * smooth_images(objects, scene.image_size, seed=6)[:, :1]
    score = torch.linspace(-1, 1, objects)
    memory = scene.ours.remember(embedding, masks, score, binarize=prompted)
    # One at a time, as the official predictor does: convolutions of a batch of its
    # token layout round otherwise.
    official = torch.cat(
        [
            scene.official._encode_new_memory(
                [as_tokens(maps[2][row : row + 1])],
                grid_sizes(maps[2]),
                masks[row : row + 1],
                score[row : row + 1, None],
                prompted,
            )[0]
            for row in range(objects)
        ]
    )
    record = Comparison(record_number)
    record("memory", memory, official)
    record("memory in bfloat16", memory.bfloat16(), official.bfloat16(), tolerance=0)


@pytest.mark.parametrize("reverse", [False, True])
def test_conditioning_on_memory(
    scene: Scene, reverse: bool, record_number: Record
) -> None:
    """Two anchors, one of them still to come, recent frames, and their pointers."""
    objects = 2 if scene.image_size == 256 else 1
    recent = 5 if scene.image_size == 256 else 1
    sign = -1 if reverse else 1
    frame, past_anchor, next_anchor = 12, 12 - sign * (recent + 1), 12 + sign * 3
    frames = [past_anchor, next_anchor]
    frames += [frame - sign * distance for distance in range(recent, 0, -1)]
    memories = torch.stack([remember_noise(scene, objects, t) for t in frames], dim=1)
    pointers = torch.stack([noise_pointer(scene, objects, t) for t in frames], dim=1)

    embedding, maps = on_frames(scene, objects)
    is_past = torch.tensor([True, False] + [True] * recent)
    distance = sign * (frame - torch.tensor(frames)[is_past]) / (MAX_POINTERS - 1)
    times = [ANCHOR_TIME, ANCHOR_TIME, *range(recent - 1, -1, -1)]
    selection = MemorySelection(
        spatial=memories.float(),
        time_index=torch.tensor(times).expand(objects, -1),
        spatial_valid=torch.ones(objects, len(frames), dtype=torch.bool),
        pointers=pointers[:, is_past],
        pointer_distance=distance.expand(objects, -1),
        pointer_valid=torch.ones(objects, recent + 1, dtype=torch.bool),
    )
    conditioned = scene.ours.condition(embedding, selection)

    outputs = official_outputs(scene, memories, pointers)
    official = scene.official._prepare_memory_conditioned_features(
        frame_idx=frame,
        is_init_cond_frame=False,
        current_vision_feats=[as_tokens(maps[2])],
        current_vision_pos_embeds=[image_position(scene, maps[2])],
        feat_sizes=grid_sizes(maps[2]),
        output_dict={
            "cond_frame_outputs": dict(zip(frames[:2], outputs[:2], strict=True)),
            "non_cond_frame_outputs": dict(zip(frames[2:], outputs[2:], strict=True)),
        },
        num_frames=24,
        track_in_reverse=reverse,
    )
    Comparison(record_number)("conditioned features", conditioned, official)
    unconditioned = scene.ours.condition(embedding, None)
    assert (conditioned - unconditioned).abs().mean() > 0.1  # memory does something


class Comparison:
    """Compares tensors, and writes the largest difference to the log of the tests."""

    def __init__(self, record_number: Record) -> None:
        self.record_number = record_number

    def __call__(
        self, name: str, ours: Tensor, official: Tensor, tolerance: float = TOLERANCE
    ) -> None:
        assert ours.shape == official.shape
        assert ours.dtype == official.dtype
        largest = (ours - official).abs().max().item()
        self.record_number(f"max |Δ| {name}", largest)
        assert largest <= tolerance


def compare_answers(
    ours: Decoded, official: tuple[Tensor, ...], record: Comparison
) -> None:
    """Compare all that the heads say, after asserting that it says something."""
    _, _, ious, low, high, pointer, score = official
    chosen = ious.amax(dim=1)
    covered = (low[score[:, 0] > 0] > 0).float().mean(dim=(1, 2, 3))
    assert len(covered)
    assert covered.min() > 0.2
    assert covered.max() < 0.8
    record("logits", ours.logits, low[:, 0])
    upsampled = upsample_logits(ours.logits, high.shape[-1])
    record("logits at input size", upsampled, high[:, 0])
    record("object score", ours.object_score, score[:, 0])
    record("predicted IoU", ours.predicted_iou, chosen)
    record("pointer", ours.pointer, pointer)
    assert torch.equal(ours.logits > 0, low[:, 0] > 0)  # identical masks


def draw_points(scene: Scene, objects: int, labels: tuple[int, ...]) -> PromptTensors:
    generator = torch.Generator().manual_seed(len(labels))
    points = torch.rand(objects, len(labels), 2, generator=generator)
    kinds = torch.tensor(labels, dtype=torch.long).expand(objects, -1)
    return PromptTensors(scene.image_size * points, kinds)


def on_frames(scene: Scene, objects: int) -> tuple[ImageEmbedding, list[Tensor]]:
    """Spread objects over the scene's frames: our embedding, the official maps."""
    rows = torch.arange(objects) % len(scene.images)
    return scene.embedding.select(rows), [x[rows] for x in scene.official_maps]


def official_heads(
    scene: Scene, maps: list[Tensor], prompts: PromptTensors, *, multimask: bool
) -> tuple[Tensor, ...]:
    points = {"point_coords": prompts.points, "point_labels": prompts.labels}
    return scene.official._forward_sam_heads(
        maps[2] + scene.official.no_mem_embed[..., None].transpose(1, 2),
        point_inputs=points if prompts.points.shape[1] else None,
        mask_inputs=prompts.mask_logits,
        high_res_features=maps[:2],
        multimask_output=multimask,
    )


def remember_noise(scene: Scene, objects: int, frame: int) -> Tensor:
    """Memory of random masks, as it is stored: in bfloat16."""
    embedding, _ = on_frames(scene, objects)
    masks = 10 * smooth_images(objects, scene.image_size, seed=frame)[:, :1]
    score = torch.ones(objects)
    memory = scene.ours.remember(embedding, masks, score, binarize=False)
    return memory.bfloat16()


def noise_pointer(scene: Scene, objects: int, frame: int) -> Tensor:
    generator = torch.Generator().manual_seed(frame)
    return torch.randn(objects, scene.ours.config.hidden_dim, generator=generator)


def official_outputs(
    scene: Scene, memories: Tensor, pointers: Tensor
) -> list[dict[str, object]]:
    """What the official predictor keeps of each frame, as far as it is read again."""
    encode = scene.official.memory_encoder.position_encoding
    return [
        {
            "maskmem_features": memories[:, i],
            "maskmem_pos_enc": [encode(memories[:, i].float())],
            "obj_ptr": pointers[:, i],
        }
        for i in range(memories.shape[1])
    ]


def image_position(scene: Scene, features: Tensor) -> Tensor:
    return as_tokens(scene.official.image_encoder.neck.position_encoding(features))


def grid_sizes(features: Tensor) -> list[tuple[int, ...]]:
    return [tuple(features.shape[-2:])]

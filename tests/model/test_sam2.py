"""The four verbs on a toy network, and the sizes of the real ones."""

from __future__ import annotations

import pytest
import torch

from napari_sam2.interfaces import ABSENT_LOGIT
from napari_sam2.model.checkpoints.checkpoint import build_model
from napari_sam2.model.config import CONFIGS
from napari_sam2.model.encoders.trunk import build_trunk
from napari_sam2.model.mask_decoder import RawMasks, choose_masks, upsample_logits
from napari_sam2.model.prompt_encoder import PromptTensors
from napari_sam2.model.sam2 import ImageEmbedding, Sam2

SIZE = 64

# Parameters, and tensors in the state dict, as counted in the official networks.
OFFICIAL_SIZES = {
    "sam2.1_tiny": (38_962_498, 471),
    "sam2.1_small": (46_060_354, 519),
    "sam2.1_base_plus": (80_850_178, 615),
    "sam2.1_large": (224_446_642, 903),
    "sam2_tiny": (38_945_986, 468),
    "sam2_small": (46_043_842, 516),
    "sam2_base_plus": (80_833_666, 612),
    "sam2_large": (224_430_130, 900),
}
PARTS = {
    "memory_attention": 5_922_304,
    "memory_encoder": 1_384_608,
    "mask_decoder": 4_215_109,
    "pointer_projection": 197_376,
}
TRUNKS = {
    "sam2.1_tiny": 26_849_472,
    "sam2.1_small": 33_947_328,
    "sam2.1_base_plus": 68_675_712,
    "sam2.1_large": 212_149_296,
}


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def model() -> Sam2:
    return build_model("toy", seed=4)


@pytest.fixture(scope="module")
def embedding(model: Sam2) -> ImageEmbedding:
    images = torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return model.embed(images)


def points(*labels: int, objects: int = 2) -> PromptTensors:
    generator = torch.Generator().manual_seed(len(labels))
    kinds = torch.tensor(labels, dtype=torch.long).expand(objects, -1)
    return PromptTensors(
        SIZE * torch.rand(objects, len(labels), 2, generator=generator), kinds
    )


@pytest.mark.parametrize("name", OFFICIAL_SIZES)
def test_sizes_are_the_official_ones(name):
    with torch.device("meta"):
        model = Sam2(CONFIGS[name])
    assert (parameters(model), len(model.state_dict())) == OFFICIAL_SIZES[name]
    for part, count in PARTS.items():
        assert parameters(getattr(model, part)) == count
    if name in TRUNKS:
        assert parameters(model.image_encoder.trunk) == TRUNKS[name]


@pytest.mark.parametrize("name", ["nano", "nano_lite"])
def test_nano_is_small(name):
    with torch.device("meta"):
        assert parameters(Sam2(CONFIGS[name])) <= 10_000_000


def test_the_trunk_of_nano_lite_is_trained_whole():
    config = CONFIGS["nano_lite"].trunk
    trunk = build_trunk(config).train()
    maps = trunk(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert [tuple(x.shape[1:]) for x in maps] == [
        (channels, side, side)
        for channels, side in zip(config.channels, (16, 8, 4, 2), strict=True)
    ]
    sum(each.square().mean() for each in maps).backward()
    assert all(weight.grad is not None for weight in trunk.parameters())


@torch.inference_mode()
@pytest.mark.parametrize("size", [64, 96, 160])
def test_any_multiple_of_32_works(model, size):
    embedding = model.embed(torch.zeros(2, 3, size, size))
    fine, coarse = embedding.high_res
    assert embedding.features.shape == (2, 32, size // 16, size // 16)
    assert fine.shape == (2, 4, size // 4, size // 4)
    assert coarse.shape == (2, 8, size // 8, size // 8)
    features = model.condition(embedding, None)
    empty = PromptTensors.empty(2, torch.device("cpu"))
    decoded = model.decode(features, embedding, empty)
    assert decoded.logits.shape == (2, size // 4, size // 4)
    masks = upsample_logits(decoded.logits, size)[:, None]
    memory = model.remember(embedding, masks, decoded.object_score, binarize=False)
    assert memory.shape == (2, 8, size // 16, size // 16)


@torch.inference_mode()
@pytest.mark.parametrize("labels", [(), (1,), (2, 3), (2, 3, 1, 0)])
def test_objects_of_a_batch_do_not_see_each_other(model, embedding, labels):
    prompts = points(*labels, objects=3)
    each = embedding.expand(3)
    together = model.decode(model.condition(each, None), each, prompts)
    for row in range(3):
        one = PromptTensors(
            prompts.points[row : row + 1], prompts.labels[row : row + 1]
        )
        alone = model.decode(model.condition(embedding, None), embedding, one)
        assert (together.logits[row] - alone.logits[0]).abs().max() < 1e-5
        assert (together.pointer[row] - alone.pointer[0]).abs().max() < 1e-5


@torch.inference_mode()
def test_frames_are_picked_for_objects(model):
    images = torch.randn(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    embedding = model.embed(images)
    picked = embedding.select(torch.tensor([2, 0, 2]))
    assert torch.equal(picked.features[0], embedding.features[2])
    assert torch.equal(picked.high_res[1][1], embedding.high_res[1][0])
    assert picked.grid == SIZE // 16


@torch.inference_mode()
def test_an_absent_object_has_no_mask_and_its_own_pointer_and_memory(embedding):
    model = build_model("toy", seed=4)
    score = model.mask_decoder.pred_obj_score_head.layers[-1]
    masks = torch.full((2, 1, SIZE, SIZE), 5.0)
    memories = []
    for bias in (100.0, -100.0):
        torch.nn.init.constant_(score.bias, bias)
        each = embedding.expand(2)
        decoded = model.decode(model.condition(each, None), each, points(1))
        is_absent = bias < 0
        assert bool((decoded.logits == ABSENT_LOGIT).all()) == is_absent
        is_own = torch.equal(decoded.pointer, model.absent_pointer.expand(2, -1))
        assert is_own == is_absent
        memories.append(
            model.remember(embedding, masks, decoded.object_score, binarize=True)
        )
    difference = memories[1] - memories[0]
    expected = model.absent_memory[..., None, None].expand_as(difference)
    assert torch.allclose(difference, expected, atol=1e-6)


def test_sam_2_0_does_not_mark_absent_memories():
    with torch.device("meta"):
        model = Sam2(CONFIGS["sam2_tiny"])
    assert model.absent_memory is None
    assert model.memory_tokenizer.pointer_time is None


@torch.inference_mode()
def test_a_given_mask_is_the_answer(model, embedding):
    masks = torch.zeros(2, 1, SIZE, SIZE)
    masks[0, 0, 16:48, 8:40] = 1
    decoded = model.decode_mask(embedding.expand(2), masks)
    assert decoded.logits[0, 4:12, 2:10].min() > 0
    assert decoded.logits[0].sum().item() == pytest.approx(
        10 * 64 - 10 * (16 * 16 - 64), rel=0.02
    )
    assert (decoded.logits[1] < 0).all()
    assert decoded.object_score.tolist() == [10, -10]
    assert decoded.predicted_iou.tolist() == [1, 1]
    assert torch.equal(decoded.pointer[1:], model.absent_pointer)


def raw_masks() -> RawMasks:
    """Object 0 has a firm single mask, object 1 an undecided one."""
    logits = torch.stack([torch.full((4, 8, 8), float(k)) for k in (3, 5)])
    logits[1, 0] = torch.linspace(-0.06, 0.06, 64).reshape(8, 8)
    return RawMasks(
        logits=logits,
        predicted_iou=torch.tensor([[0.9, 0.1, 0.5, 0.2], [0.9, 0.1, 0.2, 0.6]]),
        tokens=torch.arange(8.0).reshape(2, 4, 1),
        object_score=torch.ones(2),
    )


def test_among_candidates_the_best_iou_wins():
    chosen = choose_masks(raw_masks(), multimask=True)
    assert chosen.predicted_iou.tolist() == pytest.approx([0.5, 0.6])
    assert chosen.token.flatten().tolist() == [2, 7]


def test_an_unstable_single_mask_is_replaced_but_keeps_its_token():
    chosen = choose_masks(raw_masks(), multimask=False)
    assert chosen.predicted_iou.tolist() == pytest.approx([0.9, 0.6])
    assert chosen.logits[1].unique().tolist() == [5]
    assert chosen.token.flatten().tolist() == [0, 4]


def test_while_training_single_masks_stay():
    chosen = choose_masks(raw_masks(), multimask=False, fallback=False)
    assert chosen.predicted_iou.tolist() == pytest.approx([0.9, 0.9])

"""Prepared parts of a network answer as the parts do, but for rounding."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from tests.tracking.conftest import drawn_network

from napari_sam2.model.config import CONFIGS
from napari_sam2.model.mask_decoder import RawMasks
from napari_sam2.model.prepared import (
    PreparedMaskDecoder,
    PreparedMemoryEncoder,
    prepared,
)
from napari_sam2.model.prompt_encoder import PointLabel, PromptTensors
from napari_sam2.model.sam2 import ImageEmbedding, Sam2

SIDE = 64
KINDS = ("tracked", "clicked", "corrected")


@pytest.fixture(scope="module")
def free() -> Sam2:
    model = Sam2(replace(CONFIGS["toy"], free_order=True)).eval()
    model.load_state_dict(drawn_network().state_dict())
    return model


@pytest.fixture(scope="module")
def quick(free: Sam2) -> Sam2:
    return prepared(free)


def close(seen: torch.Tensor, expected: torch.Tensor, share: float = 1e-4) -> None:
    """Check that little of the largest numbers differs: the toy is chaotic."""
    rounding = share * float(expected.abs().max())
    torch.testing.assert_close(seen, expected, rtol=0, atol=rounding)


@pytest.mark.parametrize("objects", [1, 3])
@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("side", [4, 6])
def test_the_decoder_is_the_same_in_float64(
    free: Sam2, objects: int, frames: int, side: int
) -> None:
    """What is left of a difference is the order of sums."""
    torch.manual_seed(objects)
    decoder = deepcopy(free.mask_decoder).double()
    image, position = (
        torch.randn(1 + objects, 32, side, side).double().split((objects, 1))
    )
    sparse = torch.randn(objects, 2, 32).double()
    rows = objects if frames > 1 else 1
    fine = torch.randn(rows, 4, 4 * side, 4 * side).double()
    coarse = torch.randn(rows, 8, 2 * side, 2 * side).double()
    maps = tuple(x.expand(objects, -1, -1, -1) for x in (fine, coarse))
    with torch.inference_mode():
        expected = decoder(image, position, sparse, maps)
        seen = PreparedMaskDecoder(decoder)(image, position, sparse, maps)
    for name in ("logits", "predicted_iou", "tokens", "object_score"):
        close(getattr(seen, name), getattr(expected, name), 1e-12)


@pytest.mark.parametrize("objects", [1, 3])
def test_the_memory_encoder_is_the_same_in_float64(free: Sam2, objects: int) -> None:
    torch.manual_seed(objects)
    encoder = deepcopy(free.memory_encoder).double()
    features = torch.randn(1, 32, 4, 4).double()
    masks = torch.randn(objects, 1, SIDE, SIDE).double() * 10
    with torch.inference_mode():
        expected = encoder(features, masks)
        seen = PreparedMemoryEncoder(encoder)(features, masks)
    close(seen, expected, 1e-12)
    assert seen.is_contiguous()


def embedded(model: Sam2, frames: int = 1) -> ImageEmbedding:
    torch.manual_seed(frames)
    with torch.inference_mode():
        return model.embed(torch.randn(frames, 3, SIDE, SIDE))


def prompts_of(kind: str, objects: int) -> PromptTensors:
    if kind == "tracked":
        return PromptTensors.empty(objects, torch.device("cpu"))
    labels = torch.tensor([PointLabel.POSITIVE, PointLabel.NEGATIVE])
    return PromptTensors(
        torch.rand(objects, 2, 2) * SIDE,
        labels.expand(objects, -1),
        torch.randn(objects, 1, 16, 16) * 5 if kind == "corrected" else None,
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("objects", [1, 3])
def test_masks_scores_and_pointers_are_decoded_alike(
    free: Sam2, quick: Sam2, kind: str, objects: int
) -> None:
    torch.manual_seed(objects)
    embedding, prompts = embedded(free).expand(objects), prompts_of(kind, objects)
    features = embedding.features + torch.randn(objects, 32, 4, 4)
    with torch.inference_mode():
        expected = free.decode(features, embedding, prompts)
        seen = quick.decode(features, embedding, prompts)
    for name in ("logits", "predicted_iou", "object_score", "pointer"):
        close(getattr(seen, name), getattr(expected, name))
    assert isinstance(seen.raw, RawMasks)
    assert isinstance(expected.raw, RawMasks)
    close(seen.raw.logits, expected.raw.logits)
    assert expected.raw.logits.std() > 0.1


@pytest.mark.parametrize("objects", [1, 3])
def test_given_masks_and_memories_are_encoded_alike(
    free: Sam2, quick: Sam2, objects: int
) -> None:
    embedding = embedded(free)
    masks = (torch.rand(objects, 1, SIDE, SIDE) > 0.5).float()
    score = torch.arange(objects) - 0.5  # the first is absent
    with torch.inference_mode():
        expected = free.decode_mask(embedding.expand(objects), masks)
        seen = quick.decode_mask(embedding.expand(objects), masks)
        close(seen.pointer, expected.pointer)
        remembered = [
            each.remember(embedding, masks * 20 - 10, score, binarize=False)
            for each in (quick, free)
        ]
    close(*remembered)


def test_two_sizes_of_the_input_are_told_apart(free: Sam2, quick: Sam2) -> None:
    for side in (SIDE, 2 * SIDE, SIDE):
        with torch.inference_mode():
            embedding = free.embed(torch.ones(1, 3, side, side))
            features = free.condition(embedding, None)
            prompts = prompts_of("clicked", 1)
            expected = free.decode(features, embedding, prompts)
            close(quick.decode(features, embedding, prompts).logits, expected.logits)


def test_weights_are_shared_and_the_network_stays_as_it_was(
    free: Sam2, quick: Sam2
) -> None:
    assert type(free.mask_decoder).__name__ == "MaskDecoder"
    theirs = {id(weight) for weight in free.parameters()}
    assert {id(weight) for weight in quick.parameters()} == theirs


def test_weights_with_an_official_counterpart_are_not_prepared() -> None:
    model = drawn_network()
    assert prepared(model) is model

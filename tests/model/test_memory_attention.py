"""Objects that remember differently much share a batch, and do not notice."""

from __future__ import annotations

import pytest
import torch
from jaxtyping import TypeCheckError

from napari_sam2.model.checkpoints.checkpoint import build_model
from napari_sam2.model.memory_attention import ANCHOR_TIME, MemorySelection
from napari_sam2.model.sam2 import ImageEmbedding, Sam2

SIZE = 64
GRID = SIZE // 16


@pytest.fixture(scope="module")
def model() -> Sam2:
    return build_model("toy", seed=3)


def noise(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def embedding(model: Sam2, objects: int) -> ImageEmbedding:
    with torch.inference_mode():
        return model.embed(noise(1, 3, SIZE, SIZE, seed=0)).expand(objects)


def selection(model: Sam2, maps: int, pointers: int, seed: int) -> MemorySelection:
    """What one object remembers."""
    config = model.config
    times = [ANCHOR_TIME, *range(maps - 2, -1, -1)][:maps]
    return MemorySelection(
        spatial=noise(1, maps, config.memory_dim, GRID, GRID, seed=seed),
        time_index=torch.tensor([times]),
        spatial_valid=torch.ones(1, maps, dtype=torch.bool),
        pointers=noise(1, pointers, config.hidden_dim, seed=seed + 1),
        pointer_distance=torch.arange(pointers)[None] / 15,
        pointer_valid=torch.ones(1, pointers, dtype=torch.bool),
    )


def padded(memory: MemorySelection, maps: int, pointers: int) -> MemorySelection:
    """Grow to so many maps and pointers; what is added is wild, and not valid."""

    def grow(x: torch.Tensor, count: int, value: float) -> torch.Tensor:
        more = x.new_full((1, count - x.shape[1], *x.shape[2:]), value)
        return torch.cat((x, more), dim=1)

    return MemorySelection(
        spatial=grow(memory.spatial, maps, 50),
        time_index=grow(memory.time_index, maps, 2),
        spatial_valid=grow(memory.spatial_valid, maps, False),
        pointers=grow(memory.pointers, pointers, -50),
        pointer_distance=grow(memory.pointer_distance, pointers, 9),
        pointer_valid=grow(memory.pointer_valid, pointers, False),
    )


def batch(*memories: MemorySelection) -> MemorySelection:
    fields = {
        name: [getattr(memory, name) for memory in memories]
        for name in MemorySelection.__dataclass_fields__
    }
    return MemorySelection(
        **{
            name: None if values[0] is None else torch.cat(values)
            for name, values in fields.items()
        }
    )


@torch.inference_mode()
def test_unequal_memories_in_one_batch_give_what_each_gives_alone(model):
    memories = [
        selection(model, maps, pointers, seed=10 * maps)
        for maps, pointers in ((1, 1), (7, 16), (3, 2), (1, 0))
    ]
    alone = [model.condition(embedding(model, 1), memory) for memory in memories]
    together = model.condition(
        embedding(model, 4), batch(*(padded(memory, 7, 16) for memory in memories))
    )
    assert (together - torch.cat(alone)).abs().max() < 1e-6
    assert (alone[0] - alone[2]).abs().max() > 1e-2


@torch.inference_mode()
def test_equal_memories_need_no_mask(model):
    memories = [selection(model, 4, 3, seed) for seed in (1, 2, 3)]
    alone = [model.condition(embedding(model, 1), memory) for memory in memories]
    together = model.condition(embedding(model, 3), batch(*memories))
    assert model.memory_tokenizer(batch(*memories)).mask is None
    assert (together - torch.cat(alone)).abs().max() < 1e-6


@torch.inference_mode()
def test_time_matters_and_order_does_not(model):
    memory = selection(model, 4, 3, seed=5)
    seen = model.condition(embedding(model, 1), memory)
    order = torch.tensor([2, 0, 3, 1])
    shuffled = MemorySelection(
        memory.spatial[:, order],
        memory.time_index[:, order],
        memory.spatial_valid,
        memory.pointers.flip(1),
        memory.pointer_distance.flip(1),
        memory.pointer_valid,
    )
    again = model.condition(embedding(model, 1), shuffled)
    assert (again - seen).abs().max() < 1e-6
    swapped = MemorySelection(
        memory.spatial[:, order],
        memory.time_index,
        memory.spatial_valid,
        memory.pointers,
        memory.pointer_distance,
        memory.pointer_valid,
    )
    assert (model.condition(embedding(model, 1), swapped) - seen).abs().max() > 1e-5


def test_shapes_are_checked_while_tests_run(model):
    memory = selection(model, 2, 1, seed=1)
    with pytest.raises(TypeCheckError):
        MemorySelection(
            memory.spatial,
            memory.time_index[:, :1],
            memory.spatial_valid,
            memory.pointers,
            memory.pointer_distance,
            memory.pointer_valid,
        )
    with pytest.raises(TypeCheckError):
        model.embed(torch.zeros(3, SIZE, SIZE))
    with pytest.raises(TypeCheckError):
        model.embed(torch.zeros(1, 3, SIZE, SIZE, dtype=torch.uint8))


@torch.inference_mode()
def test_objects_that_share_a_frame_see_what_each_sees_alone(model):
    memories = [selection(model, 3, 4, seed=seed) for seed in (1, 2, 3)]
    alone = [model.condition(embedding(model, 1), memory) for memory in memories]
    shared = model.condition(embedding(model, 1), batch(*memories))
    assert torch.allclose(shared, torch.cat(alone), atol=1e-6)

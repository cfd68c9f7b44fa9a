"""Where sums may be taken in another order, results differ by rounding alone."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from torch.nn import functional as F

from napari_sam2.errors import ModelError
from napari_sam2.model.checkpoints.checkpoint import in_free_order
from napari_sam2.model.config import CONFIGS
from napari_sam2.model.mask_decoder import CANDIDATES, upsample_logits
from napari_sam2.model.sam2 import Sam2


def test_weights_with_an_official_counterpart_keep_the_official_order() -> None:
    """Bundled models may differ from SAM 2 in rounding, official weights may not."""
    free = {name for name, config in CONFIGS.items() if config.free_order}
    assert free == {"nano", "nano_lite"}


def test_an_embedding_is_the_same_in_free_order() -> None:
    """The maps for the decoder come from one product instead of two."""
    torch.manual_seed(0)
    official = Sam2(CONFIGS["toy"]).eval()
    free = Sam2(replace(CONFIGS["toy"], free_order=True)).eval()
    free.load_state_dict(official.state_dict())
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected, seen = official.embed(image), free.embed(image)
    assert torch.equal(seen.features, expected.features)
    for ours, theirs in zip(seen.high_res, expected.high_res, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_network_in_free_order_shares_the_weights() -> None:
    """SAM 2 in free order beside SAM 2 as it was takes no more memory."""
    with torch.inference_mode():  # whose tensors allow no gradients
        official = Sam2(CONFIGS["toy"])
    free = in_free_order(official)
    assert free.config == replace(official.config, free_order=True)
    assert not free.training
    pairs = zip(free.parameters(), official.parameters(), strict=True)
    assert all(ours.data_ptr() == theirs.data_ptr() for ours, theirs in pairs)
    assert in_free_order(free) is free


@pytest.mark.parametrize("name", ["edgetam", "efficienttam_ti_1"])
def test_networks_of_others_have_one_order(name: str) -> None:
    """Their memories are shortened before they are looked at."""
    network = SimpleNamespace(config=CONFIGS[name])
    with pytest.raises(ModelError, match=f"{name} cannot be computed in another"):
        in_free_order(cast(Sam2, network))


@pytest.mark.parametrize("objects", [1, 2, 3, 5])
def test_objects_side_by_side_have_the_bits_of_each_resized_with_its_candidates(
    objects: int,
) -> None:
    """Official SAM 2 resizes all candidates; torch's kernel depends on their number."""
    torch.manual_seed(objects)
    logits = torch.randn(objects, 16, 16) * 5
    each = logits[:, None].expand(-1, CANDIDATES, -1, -1)
    expected = F.interpolate(each, (64, 64), mode="bilinear", align_corners=False)
    seen = upsample_logits(logits, 64, candidates=CANDIDATES)
    assert torch.equal(seen, expected[:, 0])

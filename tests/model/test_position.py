"""Position encodings: their layouts, and rotary angles to the last bit."""

from __future__ import annotations

import math

import pytest
import torch

from napari_sam2.model.position import (
    FourierPosition,
    rotary_angles,
    rotate,
    sine_distance,
    sine_position,
)

CPU = torch.device("cpu")


@pytest.mark.parametrize(("height", "width"), [(4, 4), (16, 16), (5, 9)])
def test_real_rotation_is_the_complex_product_bit_by_bit(height, width):
    tokens, channels = height * width, 32
    x = torch.randn(2, 1, tokens, channels, generator=torch.Generator().manual_seed(0))
    exponent = torch.arange(0, channels, 4)[: channels // 4].float()
    frequency = 1.0 / 10000.0 ** (exponent / channels)
    token = torch.arange(tokens)
    column, row = (token % width).float(), (token // width).float()
    angle = torch.cat((torch.outer(column, frequency), torch.outer(row, frequency)), 1)
    turn = torch.polar(torch.ones_like(angle), angle)
    pairs = torch.view_as_complex(x.reshape(2, 1, tokens, -1, 2))
    expected = torch.view_as_real(pairs * turn).flatten(3)
    assert torch.equal(
        rotate(x, *rotary_angles(channels, height, width, CPU)), expected
    )


def test_rotation_keeps_lengths_and_depends_on_differences_alone():
    generator = torch.Generator().manual_seed(1)
    q, k = torch.randn(2, 1, 64, generator=generator)
    angles = rotary_angles(64, 8, 8, CPU)
    turned_q, turned_k = (rotate(x.expand(64, -1), *angles) for x in (q, k))
    assert torch.allclose(turned_q.norm(dim=1), q.norm(dim=1).expand(64))
    products = turned_q @ turned_k.T  # (token of q, token of k)
    assert torch.allclose(products[9, 0], products[18, 9], atol=1e-4)  # one right, down
    assert torch.allclose(products[1, 0], products[63, 62], atol=1e-4)
    assert not torch.allclose(products[1, 0], products[0, 1], atol=1e-2)


def test_complex_and_real_products_are_equal_bit_by_bit(monkeypatch):
    x = torch.randn(3, 1, 64, 32, generator=torch.Generator().manual_seed(3))
    angles = rotary_angles(32, 8, 8, CPU)
    turned = rotate(x, *angles)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert torch.equal(rotate(x, *angles), turned)


def test_half_precision_is_turned_in_float32():
    x = torch.randn(1, 16, 32, generator=torch.Generator().manual_seed(2)).bfloat16()
    angles = rotary_angles(32, 4, 4, CPU)
    assert torch.equal(rotate(x, *angles), rotate(x.float(), *angles).bfloat16())


def test_angles_made_while_inferring_serve_training():
    rotary_angles.cache_clear()
    with torch.inference_mode():
        cosine, sine = rotary_angles(8, 2, 2, CPU)
    x = torch.ones(4, 8, requires_grad=True)
    rotate(x, cosine, sine).sum().backward()
    assert x.grad is not None


def test_sine_position_has_rows_first_and_interleaves():
    encoded = sine_position(16, 3, 5, CPU)[0]
    rows, columns = encoded[:8], encoded[8:]
    assert torch.equal(rows, rows[:, :, :1].expand(-1, -1, 5))
    assert torch.equal(columns, columns[:, :1].expand(-1, 3, -1))
    position = 2 * math.pi * 2 / (3 + 1e-6)  # second row of three, counted from 1
    assert rows[0, 1, 0].item() == pytest.approx(math.sin(position), abs=1e-6)
    assert rows[1, 1, 0].item() == pytest.approx(math.cos(position), abs=1e-6)
    slower = position / 10000 ** (2 / 8)
    assert rows[2, 1, 0].item() == pytest.approx(math.sin(slower), abs=1e-6)


def test_sine_distance_has_all_sines_first():
    encoded = sine_distance(torch.tensor([0.0, 0.5]), 8)
    assert encoded[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert encoded[1, 0].item() == pytest.approx(math.sin(0.5))
    assert encoded[1, 4].item() == pytest.approx(math.cos(0.5))


def test_the_grid_encodes_pixel_centres():
    position = FourierPosition(12)
    grid = position.grid(2, 4)
    centre = position(torch.tensor([[(2 + 0.5) / 4, (1 + 0.5) / 2]]))  # x, y
    assert torch.allclose(grid[0, :, 1, 2], centre[0], atol=1e-6)

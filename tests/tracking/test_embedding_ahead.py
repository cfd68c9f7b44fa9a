"""The frame after this one is embedded beside the objects of this one."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from napari_sam2.errors import InputError


@pytest.fixture
def cores():
    """Give torch so many threads; it has its own back afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture
def two_cores(cores):
    cores(2)


@pytest.fixture
def embedded(model, monkeypatch):
    """Return in which threads the network embedded something, on how many of torch."""
    told, embed = [], model.embed

    def telling(image):
        told.append((threading.get_ident(), torch.get_num_threads()))
        return embed(image)

    monkeypatch.setattr(model, "embed", telling)
    return told


@pytest.fixture
def followed(make_predictor, movie, prompts, embedded):
    """Track five frames, with or without a word of which is next.

    Tells how many frames are embedded when each step ends, too.
    """

    def follow(*, expecting: bool, **options):
        predictor = make_predictor(**options)
        results, counts = [], []
        for index, frame in enumerate(movie[:5]):
            if expecting:
                predictor.expect(index + 1, movie[index + 1])
            results.append(predictor.step(index, frame, () if index else prompts))
            counts.append(len(embedded))
        return results, counts, predictor

    return follow


@pytest.mark.parametrize("options", [{}, {"cached_bytes": 1}])
def test_a_frame_that_is_expected_is_embedded_meanwhile_with_the_same_bits(
    two_cores, followed, embedded, options
):
    expected, counts, _ = followed(expecting=False)
    assert counts == [1, 2, 3, 4, 5]
    embedded.clear()
    found, counts, predictor = followed(expecting=True, **options)
    assert counts == [2, 3, 4, 5, 6], "each frame once, one ahead of its turn"
    here = {thread == threading.get_ident() for thread, _ in embedded}
    assert here == {False}
    assert {threads for _, threads in embedded} == {1}
    assert len(predictor.network.embeddings) <= 3
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.logits, other.logits)


def test_on_one_core_nothing_is_embedded_before_its_turn(cores, followed, embedded):
    cores(1)
    followed(expecting=True)
    assert len(embedded) == 5


def test_another_frame_may_be_shown_than_was_expected(
    two_cores, make_predictor, movie, prompts
):
    told = []
    for expecting in (False, True):
        predictor = make_predictor()
        predictor.step(0, movie[0], prompts)
        if expecting:
            predictor.expect(2, movie[2])
        predictor.step(1, movie[1])
        told.append(predictor.step(2, movie[3]).logits)
    np.testing.assert_array_equal(*told)


def test_what_is_wrong_with_a_frame_is_told_when_it_is_shown(
    two_cores, make_predictor, movie, prompts, model, monkeypatch
):
    predictor = make_predictor()
    predictor.step(0, movie[0], prompts)
    predictor.expect(2, movie[2][:-1])
    predictor.step(1, movie[1])
    with pytest.raises(InputError, match="frame"):
        predictor.step(2, movie[2][:-1])

    def broken(_image):
        raise RuntimeError("shapes do not fit")

    embed = model.embed
    predictor.network.embed(2, movie[2])
    monkeypatch.setattr(model, "embed", broken)
    predictor.expect(3, movie[3])
    predictor.step(2, movie[2])
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        predictor.step(3, movie[3])
    monkeypatch.setattr(model, "embed", embed)
    assert predictor.step(3, movie[3]).object_ids


def test_nobody_embeds_any_more_when_a_step_has_failed(
    two_cores, make_predictor, movie, prompts, model, monkeypatch
):
    predictor = make_predictor()
    predictor.step(0, movie[0], prompts)
    predictor.network.embed(1, movie[1])
    has_failed, embed, ended = threading.Event(), model.embed, []

    def slow(image):
        assert has_failed.wait(300)
        ended.append(embed(image))
        return ended[0]

    def failing(*_):
        has_failed.set()
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(model, "embed", slow)
    monkeypatch.setattr(model, "condition", failing)
    predictor.expect(2, movie[2])
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        predictor.step(1, movie[1])
    assert ended

"""Tracking beside clicks: what was embedded for these is not embedded again."""

import numpy as np


def test_frames_that_another_predictor_embedded_cost_no_encoder(
    make_predictor, movie, prompts, model, monkeypatch
):
    clicks = make_predictor()
    for frame_index in range(3):
        clicks.network.embed(frame_index, movie[frame_index])
    alone, beside = (
        make_predictor(),
        make_predictor(embeddings=clicks.network.embeddings),
    )
    expected = [alone.step(f, movie[f], prompts if f == 0 else ()) for f in range(5)]
    embedded, embed = [], model.embed

    def counting(image):
        embedded.append(image)
        return embed(image)

    monkeypatch.setattr(model, "embed", counting)
    found = [beside.step(f, movie[f], prompts if f == 0 else ()) for f in range(5)]
    assert len(embedded) == 2
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.logits, other.logits)
    assert len(clicks.network.embeddings) == 3
    clicks.network.embed(0, movie[0])
    assert len(embedded) == 2, "nothing that the clicks need was pushed out"


def test_a_frame_of_other_pixels_is_embedded_anew(make_predictor, movie):
    clicks = make_predictor()
    clicks.network.embed(0, movie[0])
    lent = clicks.network.embeddings
    assert lent.find(0, movie[0]) is not None
    assert lent.find(0, movie[1]) is None
    assert lent.find(1, movie[0]) is None

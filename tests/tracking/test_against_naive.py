"""The stream against the rules written down plainly: nothing bounded, nothing batched.

`NaiveTracker` keeps every frame of one object in dictionaries and runs it alone, as the
official predictor does (sam2-spec §1.5, §1.9–1.11, §1.15).
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_sam2.model.mask_decoder import CANDIDATES, upsample_logits
from napari_sam2.model.memory_attention import MemorySelection
from napari_sam2.model.prompt_encoder import PromptTensors
from napari_sam2.prompts import FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.tracking.preprocess import FrameGeometry

TOLERANCE = 1e-6
SIZE = 64


class NaiveTracker:
    def __init__(self, model, movie, *, frame_count=None, max_anchors=None):
        self.model, self.movie, self.max_anchors = model, movie, max_anchors
        self.pointers_in_use = min(frame_count or 16, 16)
        self.geometry = FrameGeometry(movie[0].shape[:2], SIZE)
        self.anchors, self.recent = {}, {}  # frame → (memory, pointer, logits, score)
        self.tracked = None
        self.embeddings = {}

    def embed(self, f):
        if f not in self.embeddings:
            image = self.geometry.frame_tensor(self.movie[f])
            self.embeddings[f] = self.model.embed(image)
        return self.embeddings[f]

    def chosen(self, f):
        frames = [t for t in self.anchors if t != f]
        if self.max_anchors is None:
            return frames
        before = [t for t in frames if t < f]
        after = [t for t in frames if t >= f]
        chosen = ([max(before)] if before else []) + ([min(after)] if after else [])
        assert self.max_anchors == 2, "the bounds of the gap, and no others"
        return chosen

    def memory(self, f, reverse):
        sign = -1 if reverse else 1
        chosen = self.chosen(f)
        passed = {**self.recent, **self.anchors}
        passed = {t: out for t, out in passed.items() if t not in chosen and t != f}
        maps = [(6, self.anchors[t][0]) for t in chosen]
        maps += [
            (distance - 1, passed[f - sign * distance][0])
            for distance in range(6, 0, -1)
            if f - sign * distance in passed
        ]
        pointers = [
            ((f - t) * sign, self.anchors[t][1]) for t in chosen if (f - t) * sign >= 0
        ]
        pointers += [
            (distance, passed[f - sign * distance][1])
            for distance in range(1, self.pointers_in_use)
            if f - sign * distance in passed
        ]
        distances = torch.tensor([[d for d, _ in pointers]], dtype=torch.float32)
        none = torch.zeros(1, 0, self.model.config.hidden_dim)
        return MemorySelection(
            spatial=torch.stack([m for _, m in maps], dim=1).float(),
            time_index=torch.tensor([[i for i, _ in maps]]),
            spatial_valid=torch.ones(1, len(maps), dtype=torch.bool),
            pointers=torch.stack([p for _, p in pointers], 1) if pointers else none,
            pointer_distance=distances / (self.pointers_in_use - 1),
            pointer_valid=torch.ones(1, len(pointers), dtype=torch.bool),
        )

    def encode(self, f, decoded, *, binarize):
        candidates = 1 if binarize else CANDIDATES
        masks = upsample_logits(decoded.logits, SIZE, candidates=candidates)[:, None]
        memory = self.model.remember(
            self.embed(f), masks, decoded.object_score, binarize=binarize
        )
        score = float(decoded.object_score)
        return memory.bfloat16(), decoded.pointer, decoded.logits, score

    @torch.inference_mode()
    def track(self, f, *, reverse=False):
        embedding = self.embed(f)
        if f in self.anchors:
            return self.anchors[f]
        features = self.model.condition(embedding, self.memory(f, reverse))
        empty = PromptTensors.empty(1, torch.device("cpu"))
        decoded = self.model.decode(features, embedding, empty)
        self.recent[f] = self.encode(f, decoded, binarize=False)
        self.tracked = (f, reverse)
        return self.recent[f]

    @torch.inference_mode()
    def prompt(self, prompt: FramePrompt):
        f = prompt.frame_index
        embedding = self.embed(f)
        if prompt.mask is not None:
            mask = self.geometry.prompt_mask(prompt.mask)[None]
            decoded = self.model.decode_mask(embedding, mask)
        else:
            points, labels = self.geometry.prompt_points(prompt)
            memory, previous = None, None
            if self.tracked is not None and self.tracked[0] == f:
                memory = self.memory(f, self.tracked[1])
                previous = self.recent[f][2].clamp(-32, 32)[:, None]
            tensors = PromptTensors(
                torch.tensor(points)[None], torch.tensor(labels)[None], previous
            )
            features = self.model.condition(embedding, memory)
            decoded = self.model.decode(features, embedding, tensors)
        self.anchors[f] = self.encode(f, decoded, binarize=True)
        return self.anchors[f]


def assert_equal(result, naive):
    for row, object_id in enumerate(result.object_ids):
        _, pointer, logits, score = naive[object_id]
        np.testing.assert_allclose(result.logits[row], logits[0], atol=TOLERANCE)
        np.testing.assert_allclose(result.pointers[row], pointer[0], atol=TOLERANCE)
        assert result.object_score[row] == pytest.approx(score, abs=TOLERANCE)


@pytest.mark.parametrize("max_anchors", [None, 2])
def test_stream_with_corrections_and_a_way_back_equals_the_plain_rules(
    model, movie, prompts, make_predictor, max_anchors
):
    frames = 20
    predictor = make_predictor(fill_holes=0, max_anchors=max_anchors, object_batch=1)
    naive = {
        prompt.object_id: NaiveTracker(model, movie, max_anchors=max_anchors)
        for prompt in prompts
    }
    corrections = {
        6: [
            FramePrompt(1, 6, (PointPrompt(20, 20),)),
            FramePrompt(3, 6, (PointPrompt(9, 30), PointPrompt(40, 9, positive=False))),
        ],
        9: [FramePrompt(1, 9, mask=MaskPrompt(movie[9][..., 0] > 100))],
        11: [FramePrompt(1, 11, (PointPrompt(25, 22),))],
    }
    assert_equal(
        predictor.step(0, movie[0], prompts),
        {
            prompt.object_id: naive[prompt.object_id].prompt(prompt)
            for prompt in prompts
        },
    )
    coverage, presence = [], []
    for f in range(1, frames):
        result = predictor.step(f, movie[f])
        assert result.object_ids == (1, 2, 3, 4, 5)
        assert_equal(result, {i: naive[i].track(f) for i in naive})
        coverage.append((result.logits > 0).mean())
        presence.append((result.object_score > 0).mean())
        if f in corrections:
            corrected = predictor.step(f, movie[f], corrections[f], objects=())
            expected = {
                c.object_id: naive[c.object_id].prompt(c) for c in corrections[f]
            }
            assert_equal(corrected, expected)
    for f in range(frames - 2, 9, -1):
        result = predictor.step(f, movie[f], reverse=True)
        assert_equal(result, {i: naive[i].track(f, reverse=True) for i in naive})
    # Had all masks been full, empty or absent, nothing would have been shown.
    assert 0.2 < np.mean(coverage) < 0.8
    assert 0.2 < np.mean(presence) < 1


def test_short_movies_have_fewer_pointers(model, movie, make_predictor):
    prompt = FramePrompt(1, 0, (PointPrompt(12, 12),))
    naive = NaiveTracker(model, movie, frame_count=5)
    predictor = make_predictor(fill_holes=0, frame_count=5)
    assumed_long = make_predictor(fill_holes=0)
    naive.prompt(prompt)
    predictor.step(0, movie[0], [prompt])
    assumed_long.step(0, movie[0], [prompt])
    for f in range(1, 5):
        result = predictor.step(f, movie[f])
        assert_equal(result, {1: naive.track(f)})
        other = assumed_long.step(f, movie[f])
    assert np.abs(other.logits - result.logits).max() > TOLERANCE


def test_a_frame_before_the_first_anchor_looks_into_the_future(
    model, movie, make_predictor
):
    prompt = FramePrompt(1, 10, (PointPrompt(12, 12),))
    naive = NaiveTracker(model, movie)
    predictor = make_predictor(fill_holes=0)
    naive.prompt(prompt)
    predictor.step(10, movie[10], [prompt])
    for f in range(5, 13):  # no pointer at all until frame 6
        assert_equal(predictor.step(f, movie[f]), {1: naive.track(f)})

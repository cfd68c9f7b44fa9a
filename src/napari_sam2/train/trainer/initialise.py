"""A start from which a small SAM 2 learns to use prompts and memory at once.

From the modules' usual random start the decoder ignores the prompt for thousands of
steps and paints every cell, and the memory is read as an average. Here attention
starts local: equal positions attend to each other (numbers: docs/nano-history.md).
"""

from __future__ import annotations

import torch
from torch import nn

from napari_sam2.model.attention import Attention
from napari_sam2.model.sam2 import Sam2

QUERY_KEY_SCALE = 2.5
ROTARY_BIAS = 2.0
LAYER_SCALE = 0.1
PRESENCE_BIAS = 1.0


def initialise_local(model: Sam2) -> None:
    """Set a fresh model's weights for training from nothing, in place.

    - The mask decoder's cross-attention gets equal query and key weights, enlarged and
      without bias: a token with a position encoding looks where the image has the same.
    - Query and key biases of the memory cross-attention are raised: under the rotary
      encoding their product is a bump at equal positions.
    - Time and absence embeddings get small random values instead of zeros, layer scale
      a value that trains, and presence starts at "there".
    """
    crossing = [
        module
        for name, module in model.mask_decoder.transformer.named_modules()
        if isinstance(module, Attention) and not name.endswith("self_attn")
    ]
    remembering = [
        module
        for name, module in model.memory_attention.named_modules()
        if isinstance(module, Attention) and name.endswith("cross_attn_image")
    ]
    with torch.no_grad():
        for attention in crossing:
            _equal_query_and_key(attention)
        for attention in remembering:
            nn.init.constant_(attention.q_proj.bias, ROTARY_BIAS)
            nn.init.constant_(attention.k_proj.bias, ROTARY_BIAS)
        for parameter in _zero_embeddings(model):
            nn.init.trunc_normal_(parameter, std=0.02)
        for name, parameter in model.memory_encoder.named_parameters():
            if name.endswith("gamma"):
                nn.init.constant_(parameter, LAYER_SCALE)
        for embedding in (
            model.mask_decoder.mask_tokens,
            model.mask_decoder.iou_token,
            model.mask_decoder.obj_score_token,
        ):
            nn.init.normal_(embedding.weight, std=0.5)
        *_, last = model.mask_decoder.pred_obj_score_head.parameters()
        nn.init.constant_(last, PRESENCE_BIAS)


def _equal_query_and_key(attention: Attention) -> None:
    attention.q_proj.weight.mul_(QUERY_KEY_SCALE)
    attention.k_proj.weight.copy_(attention.q_proj.weight)
    attention.q_proj.bias.zero_()
    attention.k_proj.bias.zero_()


def _zero_embeddings(model: Sam2) -> list[nn.Parameter]:
    found = [model.memory_tokenizer.time, model.no_memory, model.absent_pointer]
    if model.absent_memory is not None:
        found.append(model.absent_memory)
    return found

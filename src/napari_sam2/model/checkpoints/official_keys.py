"""How the official implementation names the weights, and how we do."""

from __future__ import annotations

import re
from collections.abc import Iterable

KEY_TABLE: tuple[tuple[str, str], ...] = (
    ("image_encoder.trunk.body.stem", "image_encoder.trunk.stem"),
    ("image_encoder.trunk.body.stages_{n}", "image_encoder.trunk.stages_{n}"),
    (
        "image_encoder.trunk.blocks.{n}.mlp.layers.0",
        "image_encoder.trunk.model.blocks.{n}.mlp.fc1",
    ),
    (
        "image_encoder.trunk.blocks.{n}.mlp.layers.1",
        "image_encoder.trunk.model.blocks.{n}.mlp.fc2",
    ),
    ("image_encoder.trunk", "image_encoder.trunk.model"),
    ("image_encoder.neck.convs.{n}.conv", "image_encoder.neck.laterals.{n}"),
    ("image_encoder.neck.convs.0", "image_encoder.neck.layers"),
    ("sam_prompt_encoder.pe_layer", "prompt_encoder.position"),
    ("sam_prompt_encoder.not_a_point_embed", "prompt_encoder.not_a_point"),
    ("sam_prompt_encoder.no_mask_embed", "prompt_encoder.no_mask"),
    ("sam_prompt_encoder", "prompt_encoder"),
    ("sam_mask_decoder", "mask_decoder"),
    ("spatial_perceiver", "memory_compressor"),
    ("memory_encoder.mask_downsampler.encoder", "memory_encoder.mask_downsampler"),
    ("memory_encoder.fuser.layers", "memory_encoder.fuser"),
    ("maskmem_tpos_enc", "memory_tokenizer.time"),
    ("obj_ptr_tpos_proj", "memory_tokenizer.pointer_time"),
    ("obj_ptr_proj", "pointer_projection"),
    ("no_mem_embed", "no_memory"),
    ("no_mem_pos_enc", "no_memory_position"),
    ("no_obj_ptr", "absent_pointer"),
    ("no_obj_embed_spatial", "absent_memory"),
)
"""Beginnings of keys, official and ours; the first that fits counts, other keys agree.

``{n}`` stands for a number. The one table is read in both directions, so that each is
the other's inverse.
"""


def _rules(source: int) -> tuple[tuple[re.Pattern[str], str], ...]:
    rules = []
    for pair in KEY_TABLE:
        beginning = re.escape(pair[source]).replace(r"\{n\}", r"(\d+)")
        # A whole part of the key ends there: no_mem_embed is not no_mem_embedding.
        pattern = re.compile(rf"^{beginning}(?=\.|$)")
        rules.append((pattern, pair[1 - source].replace("{n}", r"\1")))
    return tuple(rules)


_TO_OURS, _TO_OFFICIAL = _rules(0), _rules(1)


def rename_key(key: str, *, to_official: bool = False) -> str:
    """Translate a state-dict key between the official implementation and ours.

    Parameters
    ----------
    key
        An official key, or one of ours if ``to_official``.
    to_official
        Translate in the other direction.
    """
    for pattern, replacement in _TO_OFFICIAL if to_official else _TO_OURS:
        renamed, found = pattern.subn(replacement, key)
        if found:
            return renamed
    return key


def has_official_keys(keys: Iterable[str]) -> bool:
    """Whether these are the names of the official implementation."""
    return any(
        key.startswith(("sam_mask_decoder.", "sam_prompt_encoder.")) for key in keys
    )

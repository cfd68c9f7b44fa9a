"""Average a trained network with the one that it went on from.

    python tools/average_weights.py NEW OLD OUT.safetensors --share 0.45

What training taught is kept for the most part, and less is forgotten of what it did not
show ("Robust fine-tuning of zero-shot models", Wortsman et al. 2022). Notes are the new
file's; trust must be fitted anew.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from napari_sam2.model.checkpoints.checkpoint import load_model, save_model
from napari_sam2.model.checkpoints.notes import TRUST_NOTE, read_notes


def average(new: Path, old: Path, out: Path, share: float) -> None:
    """Write ``share * new + (1 - share) * old`` as float16.

    Parameters
    ----------
    new, old
        Files with weights of one variant.
    out
        Ends in ``.safetensors``.
    share
        0 to 1.
    """
    model, before = load_model(new), load_model(old).state_dict()
    with torch.no_grad():
        for name, value in model.state_dict().items():
            value.copy_(share * value + (1 - share) * before[name])
    notes = {key: text for key, text in read_notes(new).items() if key != TRUST_NOTE}
    own = {"averaged": f"{share:g} with {old.name}"}
    save_model(model, out, dtype=torch.float16, notes={**notes, **own})


def main() -> None:
    """Average."""
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs=3, type=Path)
    parser.add_argument("--share", type=float, required=True)
    options = parser.parse_args()
    average(*options.files, options.share)


if __name__ == "__main__":
    main()

"""Where version 0.2 had `read_prompts` and `write_prompts`; scripts import them."""

from napari_sam2.io.prompts.files import read_prompts, write_prompts

__all__ = ["read_prompts", "write_prompts"]

"""Text as editors, shells and spreadsheets write it: UTF-8 or UTF-16, marked or not."""

from __future__ import annotations

import json
from pathlib import Path

from napari_sam2.errors import InputError
from napari_sam2.io.movies.files.image_stacks import one_line
from napari_sam2.paths import refuse_pipe

LARGEST = 2**28
"""Bytes; no text that people or programs write prompts into is longer."""


def read_text(path: Path, kind: str) -> str:
    """Read a text file of a kind, told by its byte order mark or first characters.

    Notepad marks UTF-8, and ``>`` in Windows PowerShell writes UTF-16.

    Raises
    ------
    InputError
        If it is no file, cannot be read, or is of another encoding.
    """
    try:
        refuse_pipe(path)
        if path.stat().st_size > LARGEST:
            raise InputError(
                f"{path} is longer than {LARGEST >> 20} MiB: it is no file of prompts"
            )
        content = path.read_bytes()
        # The rule of RFC 4627: text begins with two ASCII characters.
        encoding = json.detect_encoding(content)
        return content.decode(encoding)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read as {kind}: {one_line(error)}; save it as UTF-8"
        ) from error

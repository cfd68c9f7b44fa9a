"""Packages that only some formats need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from napari_sam2.errors import InputError


def optional_package(module: str, extra: str) -> Any:
    """Import a module, or say how to install it.

    Parameters
    ----------
    module
        Its full name.
    extra
        Of this project: what installs it.

    Raises
    ------
    InputError
        If it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(
            f"{module.partition('.')[0]} is not installed; "
            f"install it with: pip install 'napari-sam2[{extra}]'"
        ) from error

"""The hard cases that a person can ask for, named by what is seen; no torch."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from napari_sam2.errors import InputError


class HardCaseName(StrEnum):
    """A kind of difficult movie."""

    STAGE_JUMPS = "stage-jumps"  # the picture jumps, or another place is shown
    COMING_BACK = "coming-back"  # objects are away for a while, and the same again


def chosen_cases(names: Collection[str]) -> tuple[HardCaseName, ...]:
    """Return cases by name, each once, in the order in which they are applied.

    Raises
    ------
    InputError
        If there is no such case.
    """
    known = list(HardCaseName)
    for name in names:
        if name not in known:
            raise InputError(f"no hard case {name!r}: choose from {', '.join(known)}")
    return tuple(case for case in known if case in names)

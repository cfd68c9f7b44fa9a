"""What the values of a recipe may be, and sentences about those that they may not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, NoReturn

import torch

from napari_sam2.errors import InputError

SIDE_STEP = 32
"""The deepest level of the image trunk sees a pixel for so many of the crop."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What some fields have in common.

    Attributes
    ----------
    words
        Go on from "must be".
    fits
        Whether a value, of the right type, is allowed.
    """

    words: str
    fits: Callable[[Any], bool]


AT_LEAST_0 = Rule("0 or more", lambda value: value >= 0)
AT_LEAST_1 = Rule("1 or more", lambda value: value >= 1)
ABOVE_0 = Rule("above 0", lambda value: value > 0)
SHARE = Rule("between 0 and 1", lambda value: 0 <= value <= 1)
BELOW_1 = Rule("a probability: 0 or more, below 1", lambda value: 0 <= value < 1)
SIDE = Rule(
    f"a multiple of {SIDE_STEP}", lambda value: value > 0 and value % SIDE_STEP == 0
)

Rules = Mapping[Rule, str]
"""Rule → names of the fields that it is for, with blanks between."""


def _is_number(value: Any) -> bool:
    is_real = isinstance(value, Real) and not isinstance(value, bool)
    return is_real and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


TYPES = {
    "int": Rule("a whole number", _is_whole),
    "float": Rule("a number", _is_number),
    "str": Rule("a text", lambda value: isinstance(value, str)),
    "bool": Rule("true or false", lambda value: isinstance(value, bool)),
}
"""By annotation."""


def one_of(choices: Sequence[str]) -> Rule:
    """Return the rule that a value is one of some texts."""
    quoted = ", ".join(f'"{choice}"' for choice in choices)
    return Rule(f"one of {quoted}", lambda value: value in choices)


def check_fields(where: str, values: Any, rules: Rules) -> None:
    """Check a dataclass: the types of plain fields, and rules for some of them.

    Parameters
    ----------
    where
        Table and name: messages begin with it.
    values
        The dataclass; its annotations are texts.
    rules
        For some of the fields.

    Raises
    ------
    InputError
        If a value does not fit; it is named with what is allowed.
    """
    for entry in fields(values):
        if entry.type in TYPES:
            check_value(
                where, entry.name, getattr(values, entry.name), TYPES[entry.type]
            )
    for rule, names in rules.items():
        for name in names.split():
            check_value(where, name, getattr(values, name), rule)


def check_value(where: str, name: str, value: Any, rule: Rule) -> None:
    """Check one value, see `check_fields`."""
    if not rule.fits(value):
        refuse(where, name, value, rule.words)


def refuse(where: str, name: str, value: Any, words: str) -> NoReturn:
    """Raise the error that a value must be something else."""
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    raise InputError(f"{where}: {name} = {shown} must be {words}")


def check_sides(where: str, sides: Any) -> None:
    """Check further sides of crops."""
    if not isinstance(sides, tuple) or not all(map(_is_whole, sides)):
        refuse(where, "other_sizes", sides, "a list of whole numbers")
    for side in sides:
        check_value(where, "other_sizes", side, SIDE)


def check_diameter(where: str, diameter: Any, size: int) -> None:
    """Check the range of diameters in a crop."""
    is_pair = isinstance(diameter, tuple) and len(diameter) == 2
    if not (
        is_pair and all(map(_is_number, diameter)) and 0 < diameter[0] <= diameter[1]
    ):
        words = "two numbers above 0, the smaller one first"
        refuse(where, "diameter", diameter, words)
    if diameter[1] > size:
        words = f"at most the size of the crop, {size}"
        refuse(where, "diameter", diameter, words)


def check_prompts(
    where: str, shares: Mapping[str, float], rest: str, what: str
) -> None:
    """Check that objects of single images, or of clips, can be prompted.

    Parameters
    ----------
    where
        Table and name.
    shares
        Of the kinds of prompts.
    rest
        Kind that is possible besides clicks and boxes.
    what
        What is prompted, in the plural.
    """
    possible = ("click", "clicks", "box", rest)
    if not any(shares[name] > 0 for name in possible):
        raise InputError(
            f"{where}: prompts gives none to {what}: one of {', '.join(possible)} must "
            "be above 0"
        )


def check_device(where: str, device: str) -> None:
    """Check the name of a device; it may be one that this machine lacks."""
    try:
        torch.device(device)
    except RuntimeError as error:
        words = 'a device of torch such as "cpu" or "cuda"'
        raise InputError(f'{where}: device = "{device}" must be {words}') from error

"""Dataclasses filled from tables, whose annotations say what their values may be.

`check` knows plain types, `Literal`, ``tuple[item, ...]``, and `Annotated` with rules.
It is not pydantic, because training runs on machines that have torch and little else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from numbers import Integral, Real
from typing import (
    Annotated,
    Any,
    Literal,
    NoReturn,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from napari_sam2.errors import InputError

Table = TypeVar("Table")


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value must be: ``words`` go on from "must be", ``fits`` says whether."""

    words: str
    fits: Callable[[Any], bool]


def is_number(value: Any) -> bool:
    """Whether it is a real number, of Python or numpy, that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    plain = int(value) if isinstance(value, Integral) else float(value)
    return abs(plain) <= sys.float_info.max


def one_of(*choices: str) -> Rule:
    """Return the rule that a value is one of some texts."""
    quoted = ", ".join(f'"{choice}"' for choice in choices)
    return Rule(f"one of {quoted}", lambda value: value in choices)


_PLAIN = {
    int: Rule(
        "a whole number of at most 64 bits",
        lambda value: (
            isinstance(value, Integral) and is_number(value) and abs(int(value)) < 2**63
        ),
    ),
    float: Rule("a number", is_number),
    str: Rule("a text", lambda value: isinstance(value, str)),
    bool: Rule("true or false", lambda value: isinstance(value, bool)),
}
_AT_LEAST_0 = Rule("0 or more", lambda value: value >= 0)
_AT_LEAST_1 = Rule("1 or more", lambda value: value >= 1)
_ABOVE_0 = Rule("above 0", lambda value: value > 0)
_SHARE = Rule("between 0 and 1", lambda value: 0 <= value <= 1)
_BELOW_1 = Rule("a probability: 0 or more, below 1", lambda value: 0 <= value < 1)

PositiveInt = Annotated[int, _AT_LEAST_1]
NonNegativeInt = Annotated[int, _AT_LEAST_0]
NonNegativeFloat = Annotated[float, _AT_LEAST_0]
PositiveFloat = Annotated[float, _ABOVE_0]
Share = Annotated[float, _SHARE]
Probability = Annotated[float, _BELOW_1]


def check(where: str, values: Any) -> None:
    """Check each value of a dataclass against its annotation.

    Parameters
    ----------
    where
        Table and name: messages begin with it.
    values
        The dataclass.

    Raises
    ------
    InputError
        If a value does not fit; it is named with what is allowed.
    """
    for name, hint in _hints(type(values)).items():  # type: ignore[arg-type]
        _check_value(where, name, getattr(values, name), hint)


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _check_value(where: str, name: str, value: Any, hint: Any) -> None:
    is_annotated = get_origin(hint) is Annotated
    base, *rules = get_args(hint) if is_annotated else (hint,)
    if base in _PLAIN:
        rules.insert(0, _PLAIN[base])
    elif get_origin(base) is Literal:
        rules.insert(0, one_of(*get_args(base)))
    elif get_args(base)[1:] == (Ellipsis,):
        if not isinstance(value, tuple):
            refuse(where, name, value, "a list")
        for item in value:
            _check_value(where, name, item, get_args(base)[0])
    for rule in rules:
        if not rule.fits(value):
            refuse(where, name, value, rule.words)


def refuse(where: str, name: str, value: Any, words: str) -> NoReturn:
    """Raise the error that a value must be something else."""
    shown = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else value
    raise InputError(f"{where}: {name} = {shown} must be {words}")


def build(where: str, title: str, kind: type[Table], entry: Any) -> Table:
    """Fill a dataclass from a table; lists become tuples.

    Parameters
    ----------
    where
        File, and perhaps a table in it: messages begin with it.
    title
        What messages call the table.
    kind
        The dataclass; it checks its own values.
    entry
        What the file has.

    Raises
    ------
    InputError
        If a field is unknown, missing, or refused by the dataclass.
    """
    values = as_table(where, title, entry)
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := [name for name in values if name not in known]:
        raise InputError(
            f"{where}: unknown field {unknown[0]!r} of {title}; "
            f"known: {', '.join(sorted(known))}"
        )
    for name, field in known.items():
        is_needed = field.default is MISSING and field.default_factory is MISSING
        if is_needed and name not in values:
            raise InputError(f"{where}: {title} needs the field {name!r}")
    try:
        return kind(
            **{
                name: tuple(value) if isinstance(value, list) else value
                for name, value in values.items()
            }
        )
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def as_table(where: str, title: str, entry: Any) -> dict[str, Any]:
    """Return a copy of a table.

    Raises
    ------
    InputError
        If it is something else.
    """
    if not isinstance(entry, Mapping):
        raise InputError(f"{where}: {title} must be a table, not {entry!r}")
    return dict(entry)


def take_tables(where: str, table: dict[str, Any], name: str) -> list[Any]:
    """Take a list of tables out of the file's.

    Raises
    ------
    InputError
        If there is none, or a single one in its place.
    """
    found = table.pop(name, [])
    if not isinstance(found, list) or not found:
        raise InputError(f"{where}: needs at least one [[{name}]], in double brackets")
    return found

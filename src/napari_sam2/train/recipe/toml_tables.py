"""From the tables of a TOML file to dataclasses, with errors that name the place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar

from napari_sam2.errors import InputError

Kind = TypeVar("Kind")


def build(where: str, title: str, kind: type[Kind], entry: Any) -> Kind:
    """Fill a dataclass from a table.

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
    entries = fields(kind)  # type: ignore[arg-type]
    known = {one.name for one in entries}
    for name in values:
        if name not in known:
            raise InputError(
                f"{where}: unknown field {name!r} of {title}; "
                f"known: {', '.join(sorted(known))}"
            )
    for one in entries:
        is_needed = one.default is MISSING and one.default_factory is MISSING
        if is_needed and one.name not in values:
            raise InputError(f"{where}: {title} needs the field {one.name!r}")
    try:
        return kind(**values)
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

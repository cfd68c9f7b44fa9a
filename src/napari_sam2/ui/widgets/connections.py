"""Connections to napari's events, so that none outlives the dock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any


class Connections:
    """What is connected to what; `close` undoes it all."""

    def __init__(self) -> None:
        self._made: list[tuple[Any, Callable[..., object]]] = []
        self._groups: list[Connections] = []

    def add(self, emitter: Any, callback: Callable[..., object]) -> None:
        """Connect a callback to an emitter of napari's events."""
        emitter.connect(callback)
        self._made.append((emitter, callback))

    def group(self) -> Connections:
        """Return connections that may be closed before the others."""
        group = Connections()
        self._groups.append(group)
        return group

    def close(self) -> None:
        """Disconnect everything; may be called twice."""
        made, self._made = self._made, []
        with ExitStack() as closing:
            for emitter, callback in reversed(made):
                closing.callback(emitter.disconnect, callback)
            for group in reversed(self._groups):
                closing.callback(group.close)


def close_all(parts: Sequence[Any]) -> None:
    """Close what the dock is made of, in order, all of it.

    The worker holds the lock on the masklets, which must not stay because another part
    could not be closed; the last error of those is raised in the end.
    """
    with ExitStack() as closing:
        for part in reversed(parts):
            closing.callback(part.close)

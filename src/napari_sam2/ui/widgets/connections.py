"""Connections to napari's events, so that none outlives the dock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
        for group in self._groups:
            group.close()
        for emitter, callback in self._made:
            emitter.disconnect(callback)
        self._made.clear()


def close_all(things: Iterable[Any]) -> None:
    """Close what the dock is made of, in order."""
    for thing in things:
        thing.close()

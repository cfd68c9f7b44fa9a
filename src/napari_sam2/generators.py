"""Generators that yield how far they are, and return what they found."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Generic, TypeVar

Step = TypeVar("Step")
Result = TypeVar("Result")


class WithResult(Generic[Step, Result]):
    """The steps of a generator, to loop over; ``result`` is known when they are over.

    Parameters
    ----------
    generator
        Which; it is closed with the loop.
    """

    result: Result

    def __init__(self, generator: Generator[Step, None, Result]) -> None:
        self._generator = generator

    def __iter__(self) -> Iterator[Step]:
        self.result = yield from self._generator

    def to_end(self) -> Result:
        """Take them all, and return the result."""
        for _ in self:
            pass
        return self.result

"""Object ids and rows: the label value a person knows, the tensor position we use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np


class ObjectTable:
    """Which row of the memory bank belongs to which object.

    An id never changes; a row is given back when its object is removed, and the lowest
    free row is given out next, so that the bank stays as small as its fullest moment.
    """

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, object_id: int) -> bool:
        return object_id in self._rows

    def __iter__(self) -> Iterator[int]:
        return iter(self.object_ids)

    @property
    def object_ids(self) -> tuple[int, ...]:
        """All ids, ascending."""
        return tuple(sorted(self._rows))

    @property
    def row_count(self) -> int:
        """Rows in use, counting free ones below the highest."""
        return max(self._rows.values(), default=-1) + 1

    def row(self, object_id: int) -> int:
        """Return the row of a known object; KeyError for others."""
        return self._rows[object_id]

    def rows(self, object_ids: Iterable[int]) -> np.ndarray:
        """Return ``(objects,)`` int64 rows of known objects, in the order given."""
        return np.asarray([self._rows[i] for i in object_ids], dtype=np.int64)

    def add(self, object_id: int) -> int:
        """Return the object's row, giving out the lowest free one if it is new."""
        if object_id not in self._rows:
            taken = set(self._rows.values())
            self._rows[object_id] = next(
                row for row in range(len(taken) + 1) if row not in taken
            )
        return self._rows[object_id]

    def remove(self, object_id: int) -> int:
        """Give back the row of a known object and return it."""
        return self._rows.pop(object_id)

    def clear(self) -> None:
        """Forget all objects."""
        self._rows.clear()

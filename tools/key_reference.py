"""Write the reference page of keys and gestures from the table that binds them.

    python tools/key_reference.py > docs/keys.md

``tests/test_docs.py`` compares the page with what this writes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from napari_sam2.ui.keys.keys import (
    GESTURES,
    KEYS,
    LIST_KEYS,
    TIMELINE_KEYS,
    Gesture,
    Ground,
    Key,
)

HEAD = """# Keys and gestures

Made from the table that binds them by `python tools/key_reference.py > docs/keys.md`.
In the window, `Q` shows the same on a sheet. On a Mac, Ctrl is Cmd and Alt is Option.
"""
ANYWHERE = """Whatever layer is chosen, unless the last column says otherwise.
All are given back when the dock is closed. Only undo and redo take the place of
something that napari does, and only on the plugin's own layers; a layer of yours that
has a use of its own for a key keeps it.
"""
WRITTEN = {
    "Control": "Ctrl",
    "PageUp": "PgUp",
    "PageDown": "PgDown",
    "Delete": "Del",
}
"""Names of keys that napari writes otherwise than keyboards do."""

MODIFIERS = {
    name: f"{WRITTEN.get(name, name)}+" for name in ("Control", "Shift", "Alt")
}


def page() -> str:
    """Return the page."""
    keys = [(_keys(one), _plain(one.title), _where(one)) for one in KEYS]
    return "\n".join(
        [
            HEAD,
            "## On the picture, while the SAM 2 tool is on\n",
            _table(("on the picture", "meaning"), _gestures(GESTURES)),
            "## While the dock is open\n",
            ANYWHERE,
            _table(("key", "what it does", "where, or instead of what"), keys),
            "## While the list of objects has the keyboard\n",
            _table(("key", "what it does"), _gestures(LIST_KEYS)),
            "## While the timeline has the keyboard\n",
            _table(("key", "what it does"), _gestures(TIMELINE_KEYS)).rstrip("\n"),
            "",
        ]
    )


def written(key: str) -> str:
    """Return a key of the table as keyboards have it.

    >>> written("Control-Shift-Z")
    'Ctrl+Shift+Z'
    """
    *held, last = key.split("-")
    return "+".join(WRITTEN.get(one, one) for one in (*held, last))


def _keys(key: Key) -> str:
    return " or ".join(f"`{written(one)}`" for one in key.keys)


def _where(key: Key) -> str:
    """Return on which layers a key works if not on all, or what it replaces there."""
    missing = [one.value for one in Ground if one not in key.grounds]
    if key.instead:
        return f"instead of {key.instead}"
    if not missing:
        return ""
    if len(missing) < len(key.grounds):
        return f"not on {' and '.join(missing)}"
    return f"on {' and '.join(one.value for one in Ground if one in key.grounds)} only"


def _gestures(gestures: Iterable[Gesture]) -> list[tuple[str, str]]:
    return [(_plain(one.motion), _plain(one.title)) for one in gestures]


def _plain(text: str) -> str:
    return text.format(**MODIFIERS).replace("Shift+,", "Shift,")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(page())

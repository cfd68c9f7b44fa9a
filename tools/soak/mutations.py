"""Changes at random, as disks, editors and other programs make them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ODD = (
    *(None, True, False, -1, 0, 1, 2, 3, 255, 65_536, 10**12, 2**63, 10**40),
    *(0.5, 1e308, -1e308, float("inf"), float("nan"), "", "x", "²", "\ud800", "a\nb"),
    *("0", "1e999", "../x", "/", "zstd", "time", "<u2", "|O", "datetime64[s]", "\0"),
    *([], [1], ["a"], [None], [[]], {}, {"a": 1}, [{}], [0, 0, 0], [1e308] * 3),
)


NUMBERS = (
    *("", "0", "-1", "1", "2", "3", "7", "65536", "1000000000000", "9" * 40, "x"),
    *("1e999", "nan", "inf", "0.5", "\n", "<", '"', "&#0;", "uint8", "XYCZT", "bit"),
)


def changed_json(value: Any, chance: random.Random) -> Any:
    """Return a document that differs in one to three places."""
    root = {"": json.loads(json.dumps(value))}
    for _ in range(chance.choice((1, 1, 2, 3))):
        path = chance.choice([one for one in _places(root) if one])
        *above, last = path
        holder: Any = root
        for step in above:
            holder = holder[step]
        kind = chance.random()
        if kind < 0.25 and above:
            del holder[last]
        elif kind < 0.4 and isinstance(holder[last], dict):
            known = [path[-1] for path in _places(root) if path]
            holder[last][str(chance.choice(known))] = chance.choice(ODD)
        elif kind < 0.5 and isinstance(holder[last], list):
            holder[last] = holder[last] * chance.choice((0, 2, 50))
        else:
            holder[last] = json.loads(json.dumps(chance.choice(ODD)))
    return root.get("")


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    children: Any = node.items() if isinstance(node, dict) else ()
    children = enumerate(node) if isinstance(node, list) else children
    for key, child in children:
        yield from _places(child, (*path, key))


def changed_text(content: bytes, chance: random.Random) -> bytes:
    """Return a text in which some numbers, attributes or bytes differ."""
    text = content.decode("latin-1")
    for _ in range(chance.choice((1, 1, 2, 4))):
        kind = r"-?\b\d+(\.\d+)?\b" if chance.random() < 0.8 else r' \w+="[^"]*"'
        found = [*re.finditer(kind, text)]
        if found:
            begin, end = chance.choice(found).span()
            text = text[:begin] + chance.choice(NUMBERS) + text[end:]
    if chance.random() < 0.1:
        return changed_bytes(text.encode("latin-1", "replace"), chance)
    return text.encode("latin-1", "replace")


def changed_bytes(content: bytes, chance: random.Random, most: int = 0) -> bytes:
    """Return content with some bytes replaced, put in, or cut off.

    Parameters
    ----------
    content
        What is changed.
    chance
        Draws.
    most
        How far from the beginning bytes are changed; everywhere if 0.
    """
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        at = chance.randrange(min(len(changed), most or len(changed)) or 1)
        kind = chance.random()
        if kind < 0.7:
            one = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
            changed[at : at + 1] = bytes([one])
        elif kind < 0.8:
            changed[at : at + 4] = chance.choice((b"\xff" * 4, bytes(4), b"\x7f" * 4))
        elif kind < 0.9:
            changed[at:at] = chance.randbytes(chance.randrange(5))
        else:
            del changed[at : at + chance.randrange(9)]
    if chance.random() < 0.1:
        del changed[chance.randrange(len(changed) + 1) :]
    return bytes(changed)


def change_file(path: Path, chance: random.Random) -> None:
    """Change a file of JSON as a document, or now and then as bytes."""
    content = path.read_bytes()
    if chance.random() < 0.9:
        content = json.dumps(changed_json(json.loads(content), chance)).encode()
    else:
        content = changed_bytes(content, chance)
    path.write_bytes(content)

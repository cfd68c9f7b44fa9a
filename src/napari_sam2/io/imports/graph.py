"""Graphs of tracking: nodes on frames and links between them become objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from napari_sam2.errors import InputError
from napari_sam2.prompts import MAX_OBJECT_ID


@dataclass(frozen=True, slots=True)
class Node:
    """An object on a frame.

    Attributes
    ----------
    where
        File, row and id, as errors say it.
    label
        Number that the object would like to have; 0 for any.
    tracklet
        Nodes of one object have the same; 0 where links alone say it.
    """

    where: str
    frame_index: int
    label: int = 0
    tracklet: int = 0


@dataclass(frozen=True, slots=True)
class Link:
    """From a node to one of a later frame: their keys, and how errors call it."""

    where: str
    source: int
    target: int


@dataclass(frozen=True, slots=True)
class Family:
    """Who the nodes are.

    Attributes
    ----------
    objects
        Object of each node, by key.
    mothers
        Mother of each daughter.
    """

    objects: dict[int, int]
    mothers: dict[int, int]


def follow(nodes: dict[int, Node], links: Iterable[Link]) -> Family:
    """Follow links through time: an object ends where it has more than one follower.

    Parameters
    ----------
    links
        In any order, each from an earlier to a later frame.

    Raises
    ------
    InputError
        If a link leads nowhere, to the same frame or back (so in a circle), or a node
        has two that lead to it. The message names row and frame.
    """
    before = _predecessors(nodes, links)
    followers = Counter(before.values())
    first: dict[int, int] = {}
    mothers: dict[int, int] = {}
    for key in sorted(nodes, key=lambda key: (nodes[key].frame_index, key)):
        earlier = before.get(key)
        if earlier is None:
            first[key] = key
        elif followers[earlier] == 1 and nodes[earlier].tracklet == nodes[key].tracklet:
            first[key] = first[earlier]
        else:
            first[key] = key
            mothers[key] = first[earlier]
    ids = _numbers(nodes, dict.fromkeys(first.values()))
    return Family(
        {key: ids[begin] for key, begin in first.items()},
        {ids[daughter]: ids[mother] for daughter, mother in mothers.items()},
    )


def _predecessors(nodes: dict[int, Node], links: Iterable[Link]) -> dict[int, int]:
    """Return the node before each node that has one."""
    before: dict[int, int] = {}
    for link in links:
        for key in (link.source, link.target):
            if key not in nodes:
                raise InputError(
                    f"{link.where}: node {key} is not there; each link joins two nodes "
                    "of the file"
                )
        source, target = nodes[link.source], nodes[link.target]
        if source.frame_index >= target.frame_index:
            raise InputError(
                f"{link.where}: leads from frame {source.frame_index} to frame "
                f"{target.frame_index}; links lead to a later frame, never in a circle"
            )
        if link.target in before:
            raise InputError(
                f"{target.where} (frame {target.frame_index}): follows node "
                f"{before[link.target]} and node {link.source}; an object has one "
                "mother, so remove a link"
            )
        before[link.target] = link.source
    return before


def _numbers(nodes: dict[int, Node], beginnings: Iterable[int]) -> dict[int, int]:
    """Return an id for each object, by the key of its first node."""
    ids: dict[int, int] = {}
    taken: set[int] = set()
    for key in beginnings:
        wish = nodes[key].label
        if 0 < wish <= MAX_OBJECT_ID and wish not in taken:
            ids[key] = wish
            taken.add(wish)
    free = (number for number in range(1, MAX_OBJECT_ID + 1) if number not in taken)
    for key in beginnings:
        if key in ids:
            continue
        number = next(free, None)
        if number is None:
            raise InputError(
                f"{nodes[key].where}: there are more than {MAX_OBJECT_ID} objects; "
                "give fewer"
            )
        ids[key] = number
    return ids

"""What the image files of a folder are to each other, by their names.

Times, planes, channels and positions are told apart by what the names say
(`napari_sam2.io.movies.files.file_names`). Where they do not say it, or a number is
missing or there twice, it is asked for: a folder is no movie only because it holds
images. A pattern names files by hand; those are frames in their order, no questions
asked.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.movies.files.file_names import (
    NOTHING,
    OTHER,
    UNKNOWN,
    FileName,
    are_channels,
    are_wavelengths,
    differing_words,
    holds_date,
    holds_elapsed_time,
    is_by_product,
    is_mask,
    kind_of_word,
    kinds_of_numbers,
    take_apart,
    without_descriptions,
)

FILES = ("files",)
"""The setting that errors name."""

ORDER = "PTZC"
STAMP_DIGITS, EPOCH_DIGITS = 6, 12
"""Numbers this long may be, and are, times, which leave some out, and no counters."""

_APART = "choose the files of one movie, or keep them in their own folder"

_WORDS = {"T": "time", "Z": "plane", "C": "channel", "P": "position"}


@dataclass(frozen=True, slots=True)
class FileSeries:
    """Files in the order of one or several axes.

    Attributes
    ----------
    axes, shape
        Letters of ``PTZC`` and the length of each.
    names
        The files, the last axis fastest.
    known_from
        By what the axes are known; empty if the names do not say it.
    """

    axes: str
    shape: tuple[int, ...]
    names: tuple[str, ...]
    known_from: str = ""


@dataclass(frozen=True, slots=True)
class _Column:
    """One thing that changes from file to file: a number or a word."""

    kind: str
    values: tuple[int, ...]
    width: int = 0


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts numbers in names by value.

    >>> sorted(["f10", "f9", "f1"], key=natural_key)
    ['f1', 'f9', 'f10']
    """
    parts = re.split(r"([0-9]+)", name)
    return [
        (0, int(part), part) if at % 2 else (1, 0, part.lower())
        for at, part in enumerate(parts)
    ]


def series_as_listed(names: Sequence[str]) -> FileSeries:
    """Take files as frames in natural order, as somebody named them by hand."""
    ordered = tuple(sorted(names, key=natural_key))
    return FileSeries("T", (len(ordered),), ordered, "the files that were named")


def arrange_files(
    names: Sequence[str], where: str, *, are_labels: bool = False
) -> FileSeries:
    """Find out what the files of a folder are to each other.

    Parameters
    ----------
    names
        Names of image files, at least one.
    where
        What errors call the folder.
    are_labels
        Whether masks are what is looked for; else those beside images are left out.
        Flows, outlines and probabilities beside either always are.

    Raises
    ------
    InputError
        If the names do not say it, or a file is missing or there twice.
    """
    taken = [
        name
        for name in names
        if is_mask(name) == are_labels and not is_by_product(name)
    ] or names
    series = _arrange(sorted(taken, key=natural_key), where)
    others = len(names) - len(taken)
    if not others:
        return series
    kind = "images beside the masks" if are_labels else "masks beside the images"
    note = f"{others} {kind} are left out"
    said = series.known_from or "the numbers of its files"
    return replace(series, known_from=f"{said}, {note}")


def movies_among(names: Sequence[str], where: str) -> tuple[str, dict[str, list[str]]]:
    """Return why files are not one movie, and the movies that are among them.

    Parameters
    ----------
    names, where
        As for `arrange_files`.

    Returns
    -------
    tuple
        What is wrong, in words, and by what to call it the files of each movie; nothing
        and none if all files are one.
    """
    try:
        series = arrange_files(names, where)
    except InputError as error:
        groups: dict[str, list[str]] = {}
        for name in sorted(names, key=natural_key):
            groups.setdefault(take_apart(name).pattern, []).append(name)
        return str(error), groups
    if series.axes == "T":
        is_all = len(series.names) == len(names)
        return ("", {}) if is_all else (series.known_from, {"images": [*series.names]})
    others = [letter for letter in series.axes if letter != "T"]
    counts = ", ".join(
        f"{length} {_WORDS[letter]}s"
        for letter, length in zip(series.axes, series.shape, strict=True)
    )
    movies: dict[str, list[str]] = {}
    for name, place in zip(series.names, np.ndindex(series.shape), strict=True):
        at = dict(zip(series.axes, place, strict=True))
        called = ", ".join(f"{_WORDS[letter]} {at[letter]}" for letter in others)
        movies.setdefault(called, []).append(name)
    return f"{where} holds {counts} (by {series.known_from})", movies


def _arrange(names: Sequence[str], where: str) -> FileSeries:
    if len(names) == 1:
        return FileSeries("T", (1,), tuple(names))
    parsed = [take_apart(name) for name in names]
    if len({len(name.numbers) for name in parsed}) > 1:
        raise _several_series(parsed, where)
    parsed = without_descriptions(parsed)
    word_columns = _columns_of_words(parsed, where)
    columns = _without_dependent([*word_columns, *_columns_of_numbers(parsed)])
    if not columns:
        raise _same_number(names[0], names[1], where)
    axes = _name_axes(columns, parsed, where)
    return _as_grid(axes, parsed, where)


def _columns_of_words(names: Sequence[FileName], where: str) -> list[_Column]:
    """Return what words that differ are: channels, rows of wells, or letters in order.

    Raises
    ------
    InputError
        If they are anything else.
    """
    if len({name.texts for name in names}) == 1:
        return []
    found = differing_words(names)
    if found is None:
        raise _several_series(names, where)
    at, words = found
    known = sorted(set(words))
    values = tuple(known.index(word) for word in words)
    if are_channels(known):
        return [_Column("C", values)]
    if all(len(word) == 1 and "a" <= word <= "z" for word in known):
        is_row_of_wells = at < len(names[0].numbers)
        before = names[0].texts[at].partition(words[0])[0]
        kind = "P" if is_row_of_wells else kind_of_word(before)
        return [_Column(kind, values)]
    raise _several_series(names, where)


def _columns_of_numbers(names: Sequence[FileName]) -> list[_Column]:
    """Return the numbers that differ from file to file."""
    columns = []
    for at, kind in enumerate(kinds_of_numbers(names)):
        texts = [name.numbers[at] for name in names]
        values = tuple(int(text) for text in texts)
        if len(set(values)) > 1 and kind != NOTHING:
            kind = "C" if kind == UNKNOWN and are_wavelengths(values) else kind
            columns.append(_Column(kind, values, max(map(len, texts))))
    return _without_dyes(columns)


def _without_dyes(columns: Sequence[_Column]) -> list[_Column]:
    """Drop numbers that follow from that of a channel, as in ``w1CSU488_t1``."""
    kept: list[_Column] = []
    for column in columns:
        channels = [one for one in kept if one.kind == "C"]
        pairs = [set(zip(one.values, column.values, strict=True)) for one in channels]
        follows = any(
            len(found) == len(set(one.values))
            for one, found in zip(channels, pairs, strict=True)
        )
        if not (follows and column.kind in ("C", UNKNOWN)):
            kept.append(column)
    return kept


def _without_dependent(columns: Sequence[_Column]) -> list[_Column]:
    """Drop unknown numbers that only grow with another that is never twice the same.

    So are dates and times of day beside a counter; of several such the last is kept.
    """
    count = len(columns[0].values) if columns else 0
    leading = [column for column in columns if len(set(column.values)) == count]
    if not leading or all(column.kind in "ZCP" for column in leading):
        return list(columns)
    times = [column for column in leading if column.kind == "T"]
    lead = (times or leading)[-1]
    order = np.argsort(lead.values)
    return [
        column
        for column in columns
        if column is lead
        or column.kind != UNKNOWN
        or (np.diff(np.array(column.values, dtype=object)[order]) < 0).any()
    ]


def _name_axes(
    columns: Sequence[_Column], names: Sequence[FileName], where: str
) -> dict[str, list[_Column]]:
    """Return the columns of each axis; several of positions are one axis.

    A number of unknown meaning is time where nothing but channels is beside it.
    """
    axes: dict[str, list[_Column]] = {}
    for column in columns:
        axes.setdefault(column.kind, []).append(column)
    unknown = axes.get(UNKNOWN, [])
    first = names[0].name
    if len(unknown) > 1 and holds_date(first):
        axes["T"] = axes.pop(UNKNOWN)
        return axes
    is_alone = len(unknown) == 1 and not set(axes) - {UNKNOWN, "C"}
    if OTHER in axes or (unknown and not is_alone):
        count = f"{len(columns)} numbers differ" if columns[1:] else "a number differs"
        raise InputError(
            f"{where}: {count} among its files ({first} … {names[-1].name}), and not "
            f"all say which time, plane, channel or position they count; {_APART}",
            settings=FILES,
        )
    if unknown:
        axes["T"] = axes.pop(UNKNOWN)
    for letter in "ZC" if holds_elapsed_time(first) else "TZC":
        if len(axes.get(letter, ())) > 1:
            raise InputError(
                f"{where}: its files ({first} …) have two numbers that count "
                f"{_WORDS[letter]}s; {_APART}",
                settings=FILES,
            )
    return axes


def _as_grid(
    axes: dict[str, list[_Column]], names: Sequence[FileName], where: str
) -> FileSeries:
    """Put files in the order of their axes; each place must have one file."""
    letters = [letter for letter in ORDER if letter in axes]
    places = [
        list(zip(*(column.values for column in axes[letter]), strict=True))
        for letter in letters
    ]
    known = [sorted(set(values)) for values in places]
    file_at: dict[tuple[int, ...], FileName] = {}
    for name, values in zip(names, zip(*places, strict=True), strict=True):
        place = tuple(row.index(v) for row, v in zip(known, values, strict=True))
        if place in file_at:
            raise _same_number(file_at[place].name, name.name, where)
        file_at[place] = name
    for letter, values in zip(letters, known, strict=True):
        if letter in "TZ" and len(axes[letter]) == 1:
            _check_gaps(letter, [value[0] for value in values], axes[letter][0], where)
    lengths = tuple(len(values) for values in known)
    _check_whole(file_at, lengths, letters, known, where)
    ordered = [file_at[place].name for place in np.ndindex(lengths)]
    is_said = any(column.kind != UNKNOWN for row in axes.values() for column in row)
    said = f"the names of its files, {ordered[0]} … {ordered[-1]}" if is_said else ""
    return FileSeries("".join(letters), lengths, tuple(ordered), said)


def _check_gaps(
    letter: str, numbers: Sequence[int], column: _Column, where: str
) -> None:
    steps = [after - before for before, after in itertools.pairwise(numbers)]
    step = math.gcd(*steps)
    gap = next((at for at, found in enumerate(steps) if found != step), None)
    is_stamp = column.width >= EPOCH_DIGITS or (
        column.width >= STAMP_DIGITS and min(steps) > step
    )
    if gap is None or is_stamp:
        return
    raise InputError(
        f"{where}: {_WORDS[letter]} {numbers[gap] + step} is missing, between "
        f"{numbers[gap]} and {numbers[gap + 1]} of its files; add it, or choose "
        "the files by a pattern to take them as they are",
        settings=FILES,
    )


def _check_whole(
    file_at: dict[tuple[int, ...], FileName],
    lengths: tuple[int, ...],
    letters: Sequence[str],
    known: Sequence[Sequence[tuple[int, ...]]],
    where: str,
) -> None:
    if len(file_at) == math.prod(lengths):
        return
    missing = next(place for place in np.ndindex(lengths) if place not in file_at)
    what = ", ".join(
        f"{_WORDS[letter]} {'/'.join(map(str, values[at]))}"
        for letter, values, at in zip(letters, known, missing, strict=True)
    )
    raise InputError(
        f"{where}: there is no file of {what}, but of others; add it, or {_APART}",
        settings=FILES,
    )


def _same_number(first: str, second: str, where: str) -> InputError:
    return InputError(
        f"{where}: {first} and {second} have the same number; take one away, or "
        f"{_APART}",
        settings=FILES,
    )


def _several_series(names: Sequence[FileName], where: str) -> InputError:
    counts: dict[str, int] = {}
    for name in names:
        counts[name.pattern] = counts.get(name.pattern, 0) + 1
    shown = ", ".join(
        f"{pattern} ({count})" for pattern, count in [*counts.items()][:4]
    )
    more = f" and {len(counts) - 4} more" if len(counts) > 4 else ""
    return InputError(
        f"{where} holds files of {len(counts)} series: {shown}{more}; {_APART}",
        settings=FILES,
    )

"""What OME-Zarr says of an image, in all its versions.

Up to 0.2 an image has the five axes ``tczyx``; later versions list them. From 0.6 on
they stand in coordinate systems, and transformations name the one they lead to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from pathlib import PureWindowsPath
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    FiniteFloat,
    model_validator,
)

FIVE_AXES = "tczyx"
IMPLIED_UNTIL = ("0.1", "0.2")
"""Versions whose images name no axes."""

KNOWN_VERSION = re.compile(r"0\.[1-6](?![0-9])")

DIAGONAL = ("identity", "scale", "translation", "sequence")
"""Transformations that leave each axis by itself."""


def _name_of(system: Any) -> Any:
    """Return the name of a coordinate system, which drafts wrote in two ways."""
    return (
        system.get("name") or system.get("path") if isinstance(system, dict) else system
    )


SystemName = Annotated[str | None, BeforeValidator(_name_of)]


class Axis(BaseModel):
    """An axis as it is listed; in version 0.3 it is a name alone."""

    name: str
    type: str | None = None
    unit: str | None = None


class Transformation(BaseModel):
    """From the pixels of a level to the world, one of several kinds."""

    type: str
    scale: list[FiniteFloat] | None = None
    translation: list[FiniteFloat] | None = None
    transformations: list[Transformation] = []
    output: SystemName = None

    def steps(self) -> list[Transformation]:
        """Return the transformations that this one is made of, in order."""
        if self.type != "sequence":
            return [self]
        return [step for part in self.transformations for step in part.steps()]


def _inside(path: str) -> str:
    """Refuse a level that lies outside of its image."""
    place = PureWindowsPath(path)  # which knows both kinds of slashes
    if not path or place.anchor or ".." in place.parts:
        raise ValueError(f"a level is an array inside of its image, not {path!r}")
    return path


class Dataset(BaseModel):
    """One resolution level."""

    path: Annotated[str, AfterValidator(_inside)]
    transformations: list[Transformation] = Field(
        default=[], alias="coordinateTransformations"
    )


class CoordinateSystem(BaseModel):
    """Axes that transformations lead to."""

    name: str
    axes: list[Axis]


class Multiscale(BaseModel):
    """An image and its levels, the finest first in most of them."""

    version: str | None = None
    name: object = None
    axes: list[Axis | str] | None = None
    systems: list[CoordinateSystem] = Field(default=[], alias="coordinateSystems")
    datasets: list[Dataset] = Field(min_length=1)
    transformations: list[Transformation] = Field(
        default=[], alias="coordinateTransformations"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.axes is None and not self.systems and not self._implies_axes():
            raise ValueError(
                f"version {self.version} must list the axes of the image; save it as "
                "OME-Zarr 0.4 or 0.5"
            )
        if self.version and not KNOWN_VERSION.match(self.version):
            raise ValueError(
                f"version {self.version} is none of 0.1 to 0.6; save the image as "
                "OME-Zarr 0.4 or 0.5"
            )
        return self

    def _implies_axes(self) -> bool:
        return self.version is None or self.version in IMPLIED_UNTIL

    def named_axes(self, dataset: Dataset) -> list[Axis]:
        """Return the axes of a level's array, in its order.

        Raises
        ------
        ValueError
            If a transformation mixes axes, or leads to a system that is not listed.
        """
        listed = [Axis(name=a) if isinstance(a, str) else a for a in self.axes or ()]
        if self.systems and listed:
            system = self._system_of(dataset).axes
            if [axis.name for axis in listed] != [axis.name for axis in system]:
                raise ValueError(
                    "its axes and its coordinate systems name other axes; save the "
                    "image as OME-Zarr 0.5"
                )
        if self.axes is not None:
            return listed
        if not self.systems:
            return [Axis(name=name) for name in FIVE_AXES]
        for transformation in dataset.transformations:
            for step in transformation.steps():
                if step.type not in DIAGONAL:
                    raise ValueError(
                        f"the transformation {step.type!r} of OME-Zarr {self.version} "
                        "is not supported; save the image as OME-Zarr 0.5"
                    )
        return self._system_of(dataset).axes

    def _system_of(self, dataset: Dataset) -> CoordinateSystem:
        """Return the coordinate system that a level's transformations lead to."""
        wanted = [one.output for one in dataset.transformations if one.output]
        if not wanted and len(self.systems) == 1:
            return self.systems[0]
        for system in self.systems:
            if wanted and system.name == wanted[-1]:
                return system
        raise ValueError(
            f"the coordinate systems of OME-Zarr {self.version} do not say which "
            f"belongs to level {dataset.path}; save the image as OME-Zarr 0.5"
        )

    def step_size(self, dataset: Dataset) -> float:
        """Return how coarse a level is, as far as its transformations say it."""
        steps = [step for one in dataset.transformations for step in one.steps()]
        return prod(factor for step in steps for factor in step.scale or ())

    def steps_and_starts(self, dataset: Dataset) -> tuple[list[float], list[float]]:
        """Compose a level's transformations axis by axis: step, and place of index 0.

        Those of another length are passed over, and so are kinds that say nothing of
        single axes.
        """
        count = len(self.named_axes(dataset))
        steps, starts = [1.0] * count, [0.0] * count
        listed = [*dataset.transformations, *self.transformations]
        for part in [step for one in listed for step in one.steps()]:
            factors = part.scale or [1.0] * count
            shifts = part.translation or [0.0] * count
            if len(factors) != count or len(shifts) != count:
                continue
            steps = [step * factor for step, factor in _pairs(steps, factors)]
            starts = [start * factor for start, factor in _pairs(starts, factors)]
            starts = [start + shift for start, shift in _pairs(starts, shifts)]
        return steps, starts


def _pairs(
    first: Sequence[float], second: Sequence[float]
) -> list[tuple[float, float]]:
    return list(zip(first, second, strict=True))

"""Where the cells are: motion, contacts, divisions, entering and leaving.

Positions follow from the frame before, as cells push each other; they are numbers only
(some 50 bytes a cell and frame) and are computed once, up to the latest frame asked
for. Pixels are never needed for it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from napari_sam2.errors import InputError
from napari_sam2.synthetic.cells import (
    CELL_DTYPE,
    NEVER,
    TRAITS,
    Stature,
    division_interval,
    draw_cell,
    random_stream,
    stature,
)
from napari_sam2.synthetic.config import RODS, MovieConfig

# Positions are rounded to this part of a pixel (a power of two) on every frame, so that
# the last bit of a platform's sine does not grow over thousands of frames.
_GRID = 4096.0
_STIFFNESS = 0.35
_ENTRY_PROBABILITY = 0.15
_MAX_OBJECTS = np.iinfo(np.uint16).max


@dataclass(frozen=True, slots=True)
class FramePoses:
    """The cells of one frame.

    Attributes
    ----------
    rows
        ``(cells,)`` int64, rows in the table of all cells; the object id is row + 1.
    pose
        ``(cells, 3)`` float64: y and x of the centre in pixels, angle of the long axis
        in radians (0 along +x, counted towards +y).
    """

    rows: np.ndarray
    pose: np.ndarray


class Population:
    """The lives of all cells of a movie, frame after frame; safe to share by threads.

    Parameters
    ----------
    config
        The movie; its ``frame_count`` is not looked at.
    """

    def __init__(self, config: MovieConfig) -> None:
        self._config = config
        self._traits = TRAITS[config.kind]
        self._lock = threading.Lock()
        self._cells = np.zeros(max(64, 2 * config.cell_count), CELL_DTYPE)
        self._count = 0
        self._frames: list[FramePoses] = [self._first_frame()]

    def poses(self, frame_index: int) -> tuple[np.ndarray, FramePoses]:
        """Return the ``(cells,)`` `CELL_DTYPE` rows of a frame and their places."""
        with self._lock:
            while len(self._frames) <= frame_index:
                self._frames.append(self._next_frame(self._frames[-1]))
            frame = self._frames[frame_index]
            return self._cells[frame.rows], frame

    def lives(self, frame_count: int) -> np.ndarray:
        """Return all cells born before ``frame_count``, as ``(n,)`` `CELL_DTYPE`."""
        self.poses(frame_count - 1)
        with self._lock:
            cells = self._cells[: self._count].copy()
        return cells[cells["birth"] < frame_count]

    # --- births --------------------------------------------------------------

    def _add_cell(self, birth: int) -> int:
        if self._count == _MAX_OBJECTS:
            raise InputError(
                f"simulated movie: more than {_MAX_OBJECTS} cells by frame {birth}, "
                "too many for 16-bit labels; lower frame_count, cell_count or "
                "division_rate"
            )
        if self._count == len(self._cells):
            self._cells = np.concatenate([self._cells, np.zeros_like(self._cells)])
        row = self._count
        self._count += 1
        interval = division_interval(self._config, row + 1)
        self._cells[row] = draw_cell(self._config, row + 1)
        self._cells[row]["birth"] = birth
        self._cells[row]["due"] = min(NEVER // 2, birth + interval)
        return row

    def _first_frame(self) -> FramePoses:
        rng = random_stream(self._config.seed, "place")
        shape = np.array(self._config.frame_shape, np.float64)
        count = self._config.cell_count
        centres = np.zeros((count, 2))
        for index in range(count):
            row = self._add_cell(0)
            # Each cell is somewhere in its cycle, so that divisions are spread out.
            cell = self._cells[row]
            if self._config.division_rate == 0:
                cell["birth_length"] *= rng.uniform(1.0, 2.0)
            else:
                elapsed = int(rng.random() * cell["due"])
                cell["birth"], cell["due"] = -elapsed, cell["due"] - elapsed
            candidates = rng.uniform(0.04, 0.96, (24, 2)) * shape
            gaps = np.linalg.norm(candidates[:, None] - centres[None, :index], axis=2)
            nearest = gaps.min(1) if index else np.zeros(len(candidates))
            centres[index] = candidates[np.argmax(nearest)]
        angles = rng.uniform(0, 2 * np.pi, (count, 1))
        pose = np.hstack([centres, angles])
        self._hold_back(pose, stature(self._cells[:count], self._config.kind, 0))
        return FramePoses(np.arange(count), _on_grid(pose))

    def _divide(self, row: int, pose: np.ndarray, half_length: float) -> np.ndarray:
        """Replace a mother by her daughters; ``(2, 3)`` poses of the two last rows."""
        mother = self._cells[row]
        birth = int(mother["divide_at"])
        mother["last"] = birth - 1
        poses = np.tile(pose, (2, 1))
        is_rod = self._config.kind in RODS
        offset = half_length * (0.5 if is_rod else 0.78)
        for side in (0, 1):
            newest = self._add_cell(birth)  # may move the table
            daughter, mother = self._cells[newest], self._cells[row]
            daughter["parent"], daughter["newborn"] = row + 1, True
            daughter["birth_length"] = half_length / 2
            # Nearly as large as the mother: sizes neither drift nor jump.
            daughter["radius"] = 0.8 * mother["radius"] + 0.2 * daughter["radius"]
            daughter["brightness"] = mother["brightness"]
            if is_rod:
                daughter["radius"] = mother["radius"]
            sign = 1 - 2 * side
            outward = sign * np.array([np.sin(pose[2]), np.cos(pose[2])])
            daughter["recoil"] = outward
            poses[side, :2] += offset * outward
            poses[side, 2] += 0.04 * sign
        return poses

    def _enter(self, frame_index: int) -> np.ndarray | None:
        """Let a cell come in from outside; its ``(1, 3)`` pose, or None."""
        rng = random_stream(self._config.seed, "entry", frame_index)
        speed = self._speed()
        if rng.random() > _ENTRY_PROBABILITY or speed == 0:
            return None
        row = self._add_cell(frame_index)
        cell = self._cells[row]
        cell["due"] -= int(rng.random() * (cell["due"] - frame_index))
        cell["birth_length"] *= rng.uniform(1.0, 2.0)
        sizes = stature(self._cells[row : row + 1], self._config.kind, frame_index)
        point, outward = self._border_point(rng)
        start = point + outward * (sizes.reach[0] + 1)
        goal = rng.uniform(0.25, 0.75, 2) * self._config.frame_shape
        course = (goal - start) / np.linalg.norm(goal - start)
        cell["drift"] = speed * course
        return np.array([[*start, np.arctan2(course[0], course[1])]])

    def _border_point(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw a point of the frame's border; with the unit vector outward."""
        height, width = self._config.frame_shape
        along = rng.uniform(0, height + width)
        side = int(rng.integers(0, 2))
        sign = 2.0 * side - 1
        if along < width:
            return np.array([side * height, along]), np.array([sign, 0.0])
        return np.array([along - width, side * width]), np.array([0.0, sign])

    # --- motion --------------------------------------------------------------

    def _speed(self) -> float:
        speed = self._config.speed
        return self._traits.speed if speed is None else speed

    def _next_frame(self, frame: FramePoses) -> FramePoses:
        """Move all cells by one frame; then departures, divisions and arrivals."""
        now = len(self._frames)
        cells = self._cells[frame.rows]
        sizes = stature(cells, self._config.kind, now - 1)
        pose = frame.pose + self._motion(cells, sizes, frame.pose, now - 1)
        self._hold_back(pose, sizes)
        stays = self._still_near(pose, sizes.reach)
        self._cells["last"][frame.rows[~stays]] = now - 1
        divides = stays & (cells["divide_at"] == now)
        rows, poses = [frame.rows[stays & ~divides]], [pose[stays & ~divides]]
        for index in np.flatnonzero(divides):
            mother = int(frame.rows[index])
            poses.append(self._divide(mother, pose[index], sizes.half_length[index]))
            rows.append(np.arange(self._count - 2, self._count))
        alive = sum(map(len, rows))
        if self._config.open_border and alive < self._config.cell_count:
            entering = self._enter(now)
            if entering is not None:
                poses.append(entering)
                rows.append(np.array([self._count - 1]))
        result = FramePoses(np.concatenate(rows), _on_grid(np.concatenate(poses)))
        self._commit_divisions(result, now)
        return result

    def _hold_back(self, pose: np.ndarray, sizes: Stature) -> None:
        """Keep centres inside a closed border, half a length away from it."""
        if not self._config.open_border:
            last = np.array(self._config.frame_shape) - 1.0
            margin = np.minimum(sizes.half_length[:, None], last / 2)
            pose[:, :2] = np.clip(pose[:, :2], margin, last - margin)

    def _still_near(self, pose: np.ndarray, reach: np.ndarray) -> np.ndarray:
        limit = np.array(self._config.frame_shape) + reach[:, None] + 3
        centre = pose[:, :2]
        near: np.ndarray = np.all(
            (centre > -reach[:, None] - 3) & (centre < limit), axis=1
        )
        return near

    def _commit_divisions(self, frame: FramePoses, now: int) -> None:
        """Set the day for those old enough and inside, while there is room."""
        room = int(1.5 * self._config.cell_count) + 1 - len(frame.rows)
        cells, centre = self._cells[frame.rows], frame.pose[:, :2]
        inside = np.all((centre > 0) & (centre < self._config.frame_shape), axis=1)
        pending = (cells["divide_at"] != NEVER) & (cells["divide_at"] > now)
        ripe = inside & (cells["due"] <= now) & (cells["divide_at"] == NEVER)
        chosen = frame.rows[ripe][: max(0, room - int(pending.sum()))]
        self._cells["divide_at"][chosen] = now + self._traits.mitosis

    def _motion(
        self, cells: np.ndarray, sizes: Stature, pose: np.ndarray, frame_index: int
    ) -> np.ndarray:
        """Return ``(cells, 3)``: steps in y and x, turn of the angle."""
        waves = cells["wave_speed"] * np.sin(
            cells["wave_rate"] * frame_index + cells["wave_phase"]
        )
        step: np.ndarray = waves.sum(2)
        step[:, :2] += cells["drift"]
        step *= (1 - 0.8 * np.maximum(sizes.roundness, sizes.pinch))[:, None]
        # Sisters are drawn apart while they are young.
        pull = 0.14 * cells["radius"] * sizes.youth
        step[:, :2] += cells["recoil"] * pull[:, None]
        if self._config.kind == "phase":
            # Crawling cells turn their long axis into the direction of motion.
            course = np.arctan2(step[:, 0], step[:, 1])
            pace = np.hypot(step[:, 0], step[:, 1]) / (self._speed() + 1e-9)
            turn = np.sin(2 * (course - pose[:, 2]))
            step[:, 2] += 0.03 * np.minimum(pace, 1) * turn
        step += self._contacts(sizes, pose)
        longest = 0.25 * sizes.half_width + self._speed()
        length = np.hypot(step[:, 0], step[:, 1])
        step[:, :2] *= np.minimum(1, longest / np.maximum(length, 1e-9))[:, None]
        step[:, 2] = np.clip(step[:, 2], -0.1, 0.1)
        return step

    def _contacts(self, sizes: Stature, pose: np.ndarray) -> np.ndarray:
        """Push overlapping bodies apart; a body is a row of circles on its axis."""
        if len(pose) < 2:
            return np.zeros_like(pose)
        beads = self._traits.beads
        spread = np.linspace(-1, 1, beads) if beads > 1 else np.zeros(1)
        arm = np.maximum(sizes.half_length - sizes.half_width, 0)[:, None] * spread
        axis = np.stack([np.sin(pose[:, 2]), np.cos(pose[:, 2])], 1)
        places = (pose[:, None, :2] + arm[:, :, None] * axis[:, None]).reshape(-1, 2)
        owner = np.repeat(np.arange(len(pose)), beads)
        firmness = (1 - self._config.overlap) ** 0.5
        radius = np.repeat(sizes.half_width * firmness, beads)
        pairs = cKDTree(places).query_pairs(2 * radius.max(), output_type="ndarray")
        pairs = pairs[owner[pairs[:, 0]] != owner[pairs[:, 1]]]
        first, second = pairs[:, 0], pairs[:, 1]
        apart = places[first] - places[second]
        distance = np.maximum(np.hypot(apart[:, 0], apart[:, 1]), 1e-6)
        depth = np.maximum(radius[first] + radius[second] - distance, 0)
        push = apart * (0.5 * _STIFFNESS * depth / distance)[:, None]
        moved = np.concatenate([first, second])
        force = np.concatenate([push, -push]) / beads**0.5
        lever = arm.reshape(-1)[moved]
        body = owner[moved]
        turn = lever * (axis[body, 1] * force[:, 0] - axis[body, 0] * force[:, 1])
        inertia = np.maximum(sizes.half_length, 1.0)[body] ** 2
        columns = (force[:, 0], force[:, 1], 2 * turn / inertia)
        sums = [np.bincount(body, column, len(pose)) for column in columns]
        steps: np.ndarray = np.stack(sums, 1)
        return steps


def _on_grid(pose: np.ndarray) -> np.ndarray:
    rounded: np.ndarray = np.round(pose * _GRID) / _GRID
    return rounded

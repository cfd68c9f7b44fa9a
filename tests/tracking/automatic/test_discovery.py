"""What becomes of new objects, told by a tracker and a generator that do not err."""

from __future__ import annotations

import numpy as np
import pytest
from tests.tracking.automatic import worlds
from tests.tracking.automatic.worlds import (
    SHAPE,
    Covers,
    FollowsBoth,
    Pictured,
    World,
    both_followed,
    disc,
    discover,
    dividing,
    prompted,
    run,
    still,
)

from napari_sam2.errors import InputError
from napari_sam2.tracking.automatic.census import Census, Division
from napari_sam2.tracking.automatic.discovery import Discovery
from napari_sam2.tracking.automatic.masklet_options import Divisions, MaskletOptions
from napari_sam2.tracking.automatic.masks import AutomaticMask


def test_what_stays_is_found_once() -> None:
    cells = {"a": still(15, 15, range(20)), "b": still(45, 45, range(20))}
    assert prompted(discover(World(cells, 20, {}))) == [{0: True}, {0: True}]


def test_who_comes_later_is_not_there_before() -> None:
    cells = {"a": still(15, 15, range(20)), "b": still(45, 45, range(5, 20))}
    found = discover(World(cells, 20, {}))
    assert prompted(found) == [{0: True}, {8: True, 4: False}]


def test_who_was_lost_is_found_again_as_the_same() -> None:
    world = World({"a": still(15, 15, range(20))}, 20, {})
    world.blind = {(1, frame) for frame in (6, 7, 8)}
    assert prompted(discover(world)) == [{0: True, 8: True}]


def test_a_division_is_accepted_as_mother_and_daughters() -> None:
    found = discover(dividing(), divisions=Divisions.ACCEPT)
    assert found.divisions == [Division(1, found.divisions[0].daughters, 12)]
    parents = {one.object_id: one.parent for one in found.objects}
    assert sorted(parents.values(), key=str) == [1, 1, None]
    firsts = [one.prompts[0].frame_index for one in found.objects]
    assert firsts == [0, 12, 12]


def test_daughters_that_are_followed_as_one_are_told_apart() -> None:
    world = Covers(dividing().cells, 24, dividing().follows)
    world.tells_parts = False
    found = discover(world, divisions=Divisions.ACCEPT)
    assert [one.frame_index for one in found.divisions] == [12]
    parents = [one.parent for one in found.objects]
    assert parents == [None, 1, 1]
    assert prompted(found) == [{0: True}, {12: True, 16: True}, {12: True, 16: True}]


def test_daughters_that_are_followed_as_one_are_told_apart_by_their_gap() -> None:
    world = still_both()
    world.tells_parts = False
    found = discover(world, divisions=Divisions.ACCEPT)
    assert [one.frame_index for one in found.divisions] == [12]
    assert prompted(found) == [{0: True}, {12: True}, {12: True}]


def test_daughters_in_one_mask_are_told_apart_by_the_gap_in_the_picture() -> None:
    world = Pictured(dividing().cells, 24, dividing().follows)
    world.tells_parts, world.finds = False, {"mother"}
    found = discover(world, divisions=Divisions.ACCEPT)
    assert [one.frame_index for one in found.divisions] == [12]
    assert [one.parent for one in found.objects] == [None, 1, 1]


class Winged(Pictured):
    """A world whose tracker covers two bars at right angles to the daughters, too."""

    def mask(self, name: str, frame_index: int) -> np.ndarray:
        whole = super().mask(name, frame_index)
        if name == "mother" and frame_index >= 12:
            whole[24:44, 17:19] = whole[24:44, 42:44] = True
        return whole


def test_two_at_an_angle_in_one_mask_part_and_are_no_daughters() -> None:
    cells = {**dividing().cells, "mother": still(30, 30, range(12), 12)}
    world = Winged(cells, 24, dividing().follows)
    world.tells_parts, world.finds = False, {"mother"}
    found = discover(world, divisions=Divisions.ACCEPT)
    assert found.divisions == []
    assert [one.parent for one in found.objects] == [None, None]


def rod(y: float, x: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return np.hypot(2 * (rows - y), columns - x) < radius


def test_a_guest_in_the_body_of_another_was_lost_and_is_found_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worlds, "disc", rod)
    guest = still(30, 52, range(5)) | still(30, 34, range(5, 24))
    cells = {
        "guest": guest,
        "host": still(30, 30, range(24), 9),
        "again": still(30, 52, range(5, 24)),
    }
    found = discover(Pictured(cells, 24, {"again": "guest"}))
    assert prompted(found) == [{0: True, 5: False, 8: True}, {0: True, 7: True}]


class Bridged(Pictured):
    """A world in whose picture the daughters are one body for three frames more."""

    def read(self, frame_index: int) -> np.ndarray:
        frame = super().read(frame_index)
        if frame_index < 15:
            frame[25:36, 23:38] = 200
        return frame


def test_daughters_are_born_when_the_picture_shows_two() -> None:
    world = Bridged(dividing().cells, 24, dividing().follows)
    found = discover(world, divisions=Divisions.ACCEPT)
    assert [one.frame_index for one in found.divisions] == [15]


def test_daughters_that_are_followed_as_one_are_only_proposed() -> None:
    found = discover(both_followed(), divisions=Divisions.PROPOSE)
    assert {one.frame_index for one in found.divisions} == {12}
    assert found.divisions[0].daughters == (1, 0)
    assert [one.parent for one in found.objects] == [None]


def test_daughters_that_nobody_finds_are_told_apart_by_their_mothers_mask() -> None:
    found = discover(still_both(), divisions=Divisions.ACCEPT)
    assert [one.frame_index for one in found.divisions] == [12]
    assert [one.parent for one in found.objects] == [None, 1, 1]
    proposed = discover(still_both(), divisions=Divisions.PROPOSE)
    assert [one.frame_index for one in proposed.divisions] == [12]
    places = np.sort(proposed.divisions[0].places, axis=0)
    np.testing.assert_allclose(places, [(30, 23), (30, 37)], atol=0.5)


def still_both() -> World:
    world = both_followed()
    world.finds = {"mother"}
    return world


def test_who_is_told_apart_too_early_was_born_when_the_mother_became_two() -> None:
    world = still_both()
    for daughter, x in (("left", 23), ("right", 37)):
        world.cells[daughter].update(still(30, x, range(2, 12)))
    world.follows = {}
    found = discover(world, divisions=Divisions.ACCEPT)
    assert [one.frame_index for one in found.divisions] == [11]


def test_who_is_told_apart_late_was_born_when_the_mothers_mask_had_a_dent() -> None:
    cells = {
        "mother": still(30, 30, range(10), 9),
        "left": still(30, 23, range(10, 24)),
        "right": still(30, 37, range(10, 24)),
    }
    world = Touching(cells, 24, {"left": "mother", "right": "mother"})
    world.finds = {"mother"}
    found = discover(world, divisions=Divisions.ACCEPT)
    assert [one.frame_index for one in found.divisions] == [10]


class Touching(FollowsBoth):
    """A world whose tracker sees a bridge between daughters at first."""

    def mask(self, name: str, frame_index: int) -> np.ndarray:
        whole = super().mask(name, frame_index)
        if name == "mother" and 10 <= frame_index < 14:
            for daughter in ("left", "right"):
                whole |= super().mask(daughter, frame_index)
            whole[29:32, 26:35] = True
        return whole


def test_lobes_of_a_body_with_a_waist_are_not_yet_daughters() -> None:
    world = both_followed()
    world.tells_parts = False
    for daughter, x in (("left", 26), ("right", 34)):
        world.cells[daughter].update(still(30, x, range(9, 12)))
    world.follows = {}
    found = discover(world, divisions=Divisions.ACCEPT)
    assert [one.frame_index for one in found.divisions] == [12]


class RunsOff(FollowsBoth):
    """A world whose tracker, on the way back, takes a daughter for somebody else."""

    def mask(self, name: str, frame_index: int) -> np.ndarray:
        if name == "right" and frame_index < 12:
            return disc(50, 50, 6)
        return super().mask(name, frame_index)


def test_the_size_of_a_mother_says_more_than_where_a_way_back_leads() -> None:
    world = RunsOff(dividing().cells, 24, dividing().follows)
    world.finds = {"mother"}
    found = discover(world, divisions=Divisions.ACCEPT)
    assert [one.frame_index for one in found.divisions] == [12]
    assert [one.parent for one in found.objects] == [None, 1, 1]


class Meeting(World):
    """A world whose tracker follows a cell and a later one beside it as one."""

    def mask(self, name: str, frame_index: int) -> np.ndarray:
        whole = super().mask(name, frame_index)
        is_taken = name == "a" and "b" not in self.known.values()
        return whole | super().mask("b", frame_index) if is_taken else whole


def test_two_who_came_together_part_again_and_are_no_daughters() -> None:
    cells = {
        "a": still(30, 23, range(24)),
        "b": still(30, 37, range(12, 24)),
    }
    found = discover(Meeting(cells, 24, {}), divisions=Divisions.ACCEPT)
    assert found.divisions == []
    assert prompted(found) == [{0: True, 12: True}, {12: True}]
    assert [one.parent for one in found.objects] == [None, None]


def test_a_sister_among_the_candidates_is_asked_for_by_a_click() -> None:
    world = dividing()
    world.finds = {"mother"}
    world.follows = {"left": "mother"}
    world.sisters = {(1, frame): (30, 37) for frame in range(12, 24)}
    found = discover(world, divisions=Divisions.PROPOSE)
    assert [one.mother for one in found.divisions] == [1]
    assert 12 <= found.divisions[0].frame_index <= 14


def test_a_daughter_that_is_found_later_is_not_proposed_again() -> None:
    world = dividing()
    world.sisters = {(1, frame): (30, 37) for frame in range(12, 24)}
    (division,) = discover(world, divisions=Divisions.PROPOSE).divisions
    assert (division.mother, division.frame_index) == (1, 12)
    assert 0 not in division.daughters


def test_a_sister_of_one_frame_is_enough_where_the_mother_has_halved() -> None:
    world = dividing()
    world.finds = {"mother"}
    world.sisters = {(1, 12): (30, 37)}
    found = discover(world, divisions=Divisions.ACCEPT)
    assert [one.frame_index for one in found.divisions] == [12]
    assert [one.parent for one in found.objects] == [None, 1, 1]


def test_a_neighbour_that_appears_while_an_area_halves_is_a_daughter() -> None:
    world = dividing()
    world.follows = {"left": "mother"}  # the way back of the other one just ends
    found = discover(world, divisions=Divisions.ACCEPT)
    assert [one.frame_index for one in found.divisions] == [12]
    assert [one.parent for one in found.objects] == [None, 1, 1]


def test_a_neighbour_that_appears_beside_who_keeps_the_size_is_a_new_one() -> None:
    world = dividing()
    world.cells["left"].update(still(30, 23, range(12, 24), 9))
    world.follows = {"left": "mother"}
    assert discover(world, divisions=Divisions.ACCEPT).divisions == []


def test_two_halves_of_a_cell_are_no_daughters() -> None:
    world = dividing()
    for half, x in (("left", 26), ("right", 34)):
        world.cells[half].update(still(30, x, range(12, 24)))
    assert discover(world, divisions=Divisions.ACCEPT).divisions == []


class SeesTwo(FollowsBoth):
    """A world whose generator sees two in the place of a cell on frame 8."""

    def find(
        self, frame_index: int, frame: np.ndarray, occupied: np.ndarray | None = None
    ) -> list[AutomaticMask]:
        self.finds = {"left", "right"} if frame_index == 8 else None
        return super().find(frame_index, frame, occupied)


def test_two_masks_in_one_cell_are_no_daughters() -> None:
    one = dividing()
    world = SeesTwo(one.cells, one.frame_count, one.follows)
    world.cells["left"].update(still(30, 24.5, range(8, 9), 5.5))
    world.cells["right"].update(still(30, 35.5, range(8, 9), 5.5))
    found = discover(world, divisions=Divisions.ACCEPT)
    assert [one.frame_index for one in found.divisions] == [12]


def test_the_rim_of_a_neighbour_is_no_daughter() -> None:
    cells = {
        "cell": still(30, 20, range(24), 7),
        "neighbour": still(30, 40, range(24), 9),
    }
    found = discover(TakesRim(cells, 24, {}), divisions=Divisions.ACCEPT)
    assert found.divisions == []
    assert len(found.objects) == 2


class TakesRim(World):
    """A world whose tracker gives a cell the near side of its neighbour, too."""

    def mask(self, name: str, frame_index: int) -> np.ndarray:
        columns = np.arange(SHAPE[1])
        neighbour = super().mask("neighbour", frame_index)
        is_rim = neighbour & (columns < 39) & (frame_index >= 10)
        if name == "neighbour":
            return neighbour & ~is_rim
        return super().mask(name, frame_index) | is_rim


def test_a_division_is_only_proposed() -> None:
    found = discover(dividing(), divisions=Divisions.PROPOSE)
    assert [one.frame_index for one in found.divisions] == [12]
    assert all(one.parent is None for one in found.objects)


def test_without_divisions_nobody_is_said_to_divide() -> None:
    found = discover(dividing())
    assert found.divisions == []
    assert all(one.parent is None for one in found.objects)


def test_unlike_sizes_are_no_division() -> None:
    world = dividing()
    world.cells["right"].update(still(30, 37, range(12, 24), 3))
    assert discover(world, divisions=Divisions.ACCEPT).divisions == []


def test_a_daughter_that_the_border_cuts_may_show_less() -> None:
    world = dividing()
    world.cells = {
        "mother": still(30, 56, range(12), 9),
        "left": still(30, 50, range(12, 24)),
        "right": still(30, 66, range(12, 24), 7),
    }
    found = discover(world, divisions=Divisions.ACCEPT)
    assert [one.frame_index for one in found.divisions] == [12]


def test_who_is_seen_too_shortly_is_dropped() -> None:
    cells = {"a": still(15, 15, range(24)), "b": still(45, 45, range(8, 10))}
    assert len(discover(World(cells, 24, {})).objects) == 1
    assert len(discover(World(cells, 24, {}), shortest=1).objects) == 2


def test_a_mother_of_one_daughter_did_not_divide() -> None:
    mask = np.ones(SHAPE, bool)
    census = Census()
    mother = census.add(0, mask)
    sister = census.split(mother, 5, mask)
    short = census.add(5, mask, mother)
    census.divisions.append(Division(mother, (sister, short), 5))
    for object_id, seen in ((mother, 5), (sister, 9), (short, 1)):
        census.objects[object_id].frames_seen = seen
    census.drop_short(3, at_the_ends=())
    found = census.result()
    assert [len(one.prompts) for one in found.objects] == [2]
    assert found.divisions == []


def test_nobody_looks_outside_of_the_frames_asked_for() -> None:
    world = World({"a": still(15, 15, range(20))}, 20, {})
    found = run(Discovery(world, world, MaskletOptions(), range(4, 12)), world)
    assert prompted(found) == [{4: True}]


def test_an_option_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match="--every 0"):
        MaskletOptions(every=0)

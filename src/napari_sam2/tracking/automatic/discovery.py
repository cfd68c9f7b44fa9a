"""The objects of a movie that nobody prompted: look, follow, look again.

One walk through the movie. What is found on a frame is followed; on each k-th frame the
network looks at what nobody covers. A new object is followed back to the last look:
there it turns out to be new, one that was lost, or one of two daughters.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from napari_sam2.interfaces import FrameSource
from napari_sam2.metrics.matching import count_overlaps
from napari_sam2.prompts import FramePrompt, MaskPrompt
from napari_sam2.tracking.automatic.bodies.clefts import CLEFT, clefts_of, look_whole
from napari_sam2.tracking.automatic.bodies.parting_bodies import parting_bodies
from napari_sam2.tracking.automatic.bodies.shared_bodies import SharedBodies
from napari_sam2.tracking.automatic.bodies.sisters import (
    LONG_BEFORE,
    are_apart,
    are_cut_off,
    are_daughters,
    are_in_line,
    are_joined,
    are_of_like_size,
    came_out_of,
    centre_of,
    halves,
    is_bent,
    is_beside,
    is_dented,
    lies_in,
    lobes_of,
    pairs_inside,
    parts_of,
)
from napari_sam2.tracking.automatic.census import Census, Discovered, Division
from napari_sam2.tracking.automatic.generator import MaskGenerator
from napari_sam2.tracking.automatic.mask_options import SURE
from napari_sam2.tracking.automatic.masklet_options import Divisions, MaskletOptions
from napari_sam2.tracking.automatic.masks import AutomaticMask, label_masks
from napari_sam2.tracking.automatic.recent_labels import RecentLabels
from napari_sam2.tracking.automatic.strangers import are_bodies, seen_at
from napari_sam2.tracking.automatic.way_back import WayBack
from napari_sam2.tracking.division_evidence import STABLE, shows_two
from napari_sam2.tracking.embedding_cache import EmbeddingCache
from napari_sam2.tracking.postprocess import label_image
from napari_sam2.tracking.predictor import StreamingPredictor
from napari_sam2.tracking.step_result import StepResult


@dataclass(frozen=True, slots=True)
class Looked:
    """How far a search is.

    Attributes
    ----------
    position, total
        How many frames are done, of how many.
    """

    frame_index: int
    position: int
    total: int
    objects: int


class Discovery:
    """Finds the objects of a movie.

    Parameters
    ----------
    predictor
        A fresh one for them; its network looks, too.
    frames
        Those to look at; None for all.
    """

    def __init__(
        self,
        source: FrameSource,
        predictor: StreamingPredictor,
        options: MaskletOptions,
        frames: range | None = None,
    ) -> None:
        self.source, self.predictor, self.options = source, predictor, options
        self.frames = frames or range(source.frame_count)
        self._generator = MaskGenerator(predictor.network, options.masks)
        self._census = Census()
        self._labels = RecentLabels(options.every + 1 + LONG_BEFORE)
        self._two_on: dict[int, int] = {}
        self._shared = SharedBodies()
        if len(predictor.layout) == 1:
            # The way back shows frames again that were embedded on the way there.
            predictor.network.embeddings = EmbeddingCache(options.every + 1)

    def run(self) -> Generator[Looked, None, Discovered]:
        """Walk through the movie.

        Yields
        ------
        Looked
            After each frame.

        Returns
        -------
        Discovered
            All objects.
        """
        at_the_ends: set[int] = set()
        ends = (self.frames[0], self.frames[-1])
        for position, frame_index in enumerate(self.frames):
            frame = self.source.read(frame_index)
            self._follow(frame_index, frame)
            if position % self.options.every == 0 or frame_index in ends:
                self._look(frame_index, frame)
            if frame_index in ends:
                at_the_ends.update(np.unique(self._labels.get(frame_index)).tolist())
            objects = len(self._census.objects)
            yield Looked(frame_index, position + 1, len(self.frames), objects)
        self._census.drop_short(self.options.shortest, at_the_ends)
        return self._census.result()

    def _drawn(self, step: StepResult, rows: Sequence[int] | None = None) -> np.ndarray:
        """Return the label image of a step, or of some of its rows by themselves."""
        layout = self.predictor.layout
        chosen = np.arange(len(step.object_ids)) if rows is None else np.asarray(rows)
        return label_image(
            [step.object_ids[row] for row in chosen],
            step.logits[chosen],
            layout.frame_shape,
            windows=layout.windows(step.tiles[chosen]),
        )

    # --- Follow and look

    def _follow(self, frame_index: int, frame: np.ndarray) -> None:
        """Track what is known."""
        step = self.predictor.step(frame_index, frame)
        labels = self._drawn(step)
        self._labels.put(frame_index, labels)
        for object_id in np.unique(labels[labels > 0]).tolist():
            self._census.objects[object_id].frames_seen += 1
        for host, guest in self._shared.seen(frame, labels):
            self._send_away(frame_index, frame, host, guest)
        if self.options.divisions is not Divisions.IGNORE:
            self._divide_shared(frame_index, frame)
            self._divide_parted(frame_index, frame, step)

    def _send_away(
        self, frame_index: int, frame: np.ndarray, host: int, guest: int
    ) -> None:
        """Let one of two in one body have it; the other one was lost before."""
        if not self._is_guest(frame_index, host, guest):
            return
        first = frame_index - STABLE + 1
        self._labels.relabel(guest, host, first, frame_index)
        self.predictor.remove(guest)
        self._census.lose(guest, first)
        body = self._labels.get(frame_index) == host
        self._census.objects[host].masks[frame_index] = body
        self._show(frame_index, frame, [host])

    def _is_guest(self, frame_index: int, host: int, guest: int) -> bool:
        """Tell whether both are still there, and the guest not only since lately."""
        objects, first = self._census.objects, frame_index - STABLE + 1
        return {host, guest} <= objects.keys() and (
            objects[guest].parent is None or self._census.lived_before(guest, first)
        )

    def _look(self, frame_index: int, frame: np.ndarray) -> None:
        """Ask the network what there is, and find out who is new."""
        known = self._labels.get(frame_index)
        masks = self._masks(frame_index, frame, known)
        if self.options.divisions is not Divisions.IGNORE:
            self._divide_covered(frame_index, frame, masks, known)
            known = self._labels.get(frame_index)
        options = self.options
        shape = self.source.frame_shape
        _, new = label_masks(
            masks,
            shape,
            minimum_area=options.masks.minimum_area,
            minimum_visible=max(options.new_share, options.masks.minimum_visible),
            unsure_visible=options.masks.unsure_visible,
            occupied=known > 0,
        )
        if new:
            ids = [self._census.add(frame_index, mask.on(shape)) for mask in new]
            self._show(frame_index, frame, ids)
            self._settle(frame_index, frame, self._ways_back(frame_index, ids))

    def _masks(
        self, frame_index: int, frame: np.ndarray, known: np.ndarray
    ) -> list[AutomaticMask]:
        """Return masks of what nobody covers; of everything, where cells divide."""
        is_free = self.options.divisions is Divisions.IGNORE
        return self._generator.find(frame_index, frame, known > 0 if is_free else None)

    def _show(self, frame_index: int, frame: np.ndarray, ids: list[int]) -> None:
        """Give the tracker the masks that objects have on a frame."""
        labels = self._labels.get(frame_index)
        prompts = []
        for object_id in ids:
            mask = self._census.objects[object_id].masks[frame_index]
            labels[mask] = object_id
            prompts.append(FramePrompt(object_id, frame_index, mask=MaskPrompt(mask)))
        self.predictor.step(frame_index, frame, prompts, objects=())
        self._labels.put(frame_index, labels)

    # --- The way back

    def _ways_back(self, frame_index: int, ids: list[int]) -> dict[int, WayBack]:
        """Follow new objects back to the last look."""
        ways = {one: WayBack(frame_index) for one in ids}
        self.predictor.forget_recent(ids)
        first = max(self.frames[0], frame_index - self.options.every)
        for earlier in range(frame_index - 1, first - 1, -1):
            step = self.predictor.step(
                earlier, self.source.read(earlier), objects=ids, reverse=True
            )
            own = self._drawn(step)
            known = self._labels.get(earlier)
            overlaps = count_overlaps(own, known)
            alone = [
                one
                for one, way in ways.items()
                if way.note(one, earlier, overlaps, self.options)
            ]
            for one in alone:
                self._census.objects[one].frames_seen += 1
            is_new = np.isin(own, alone) & (known == 0)
            self._labels.put(earlier, np.where(is_new, own, known))
        self.predictor.forget_recent(ids)
        return ways

    # --- What it is

    def _settle(
        self, frame_index: int, frame: np.ndarray, ways: dict[int, WayBack]
    ) -> None:
        """Decide whether new objects are new, lost before, or daughters."""
        by_known: dict[int, list[int]] = {}
        for object_id, way in ways.items():
            if way.into is not None:
                by_known.setdefault(way.into, []).append(object_id)
        for known_id, new in by_known.items():
            self._settle_family(frame_index, frame, known_id, new, ways)
        for object_id, way in ways.items():
            if way.into is None and not way.is_open:
                self._settle_neighbour(frame_index, frame, object_id, way.beginning)
        for object_id, way in ways.items():
            found = self._census.objects.get(object_id)
            if found is not None and found.parent is None and not way.is_open:
                empty = np.zeros(self.source.frame_shape, dtype=bool)
                found.masks[way.beginning - 1] = empty

    def _settle_family(
        self,
        frame_index: int,
        frame: np.ndarray,
        known_id: int,
        new: list[int],
        ways: dict[int, WayBack],
    ) -> None:
        """Decide about new objects whose ways back run into one that is known."""
        births = [ways[one].beginning for one in new]
        birth = min(births)
        is_lost = not any(
            (self._labels.get(one) == known_id).any()
            for one in range(birth, frame_index + 1)
        )
        if is_lost and len(new) == 1:
            way = ways[new[0]]
            if np.mean(way.overlaps) >= self.options.same_overlap:
                self.predictor.remove(new[0])
                self._census.join(new[0], known_id)
                self._labels.relabel(new[0], known_id, birth, frame_index)
                self._show(frame_index, frame, [known_id])
                way.into = None
        elif self.options.divisions is not Divisions.IGNORE:
            pair = new if is_lost else [known_id, *new]
            if len(pair) == 2:
                self._divide(frame_index, frame, known_id, pair, birth)

    def _settle_neighbour(
        self, frame_index: int, frame: np.ndarray, new: int, birth: int
    ) -> None:
        """Decide about who appears beside an object whose area halves."""
        if self.options.divisions is Divisions.IGNORE or birth <= self.frames[0]:
            return
        before, own = self._labels.get(birth - 1), self._labels.get(birth) == new
        near = [
            known_id
            for known_id in sorted(self._labels.halved(birth) - self._census.mothers)
            if own.any() and is_beside(own, before == known_id)
        ]
        if near:
            mother_id = max(near, key=lambda one: self._labels.area(one, birth - 1))
            self._divide(frame_index, frame, mother_id, [mother_id, new], birth)

    def _divide(
        self,
        frame_index: int,
        frame: np.ndarray,
        mother: int,
        pair: list[int],
        birth: int,
    ) -> None:
        """Take two objects for daughters, if their sizes say so."""
        if not self._are_sisters(mother, pair, birth):
            return
        if self.options.divisions is Divisions.PROPOSE:
            self._census.propose(Division(mother, (pair[0], pair[1]), birth), STABLE)
            return
        labels = self._labels.get(birth)
        if pair[0] == mother:
            sister = self._census.split(mother, birth, labels == mother)
            pair = [sister, pair[1]]
            self._labels.relabel(mother, sister, birth, frame_index)
            now = self._labels.get(frame_index) == sister
            if now.any():
                # Only for the walk: the mask at birth is the prompt.
                prompt = FramePrompt(sister, frame_index, mask=MaskPrompt(now))
                self.predictor.step(frame_index, frame, [prompt], objects=())
        self.predictor.remove(mother)
        for daughter in pair:
            found = self._census.objects[daughter]
            found.parent = mother
            found.masks[birth] = labels == daughter
            if not found.masks[birth].any():
                found.masks[birth] = self._labels.get(birth) == daughter
        division = Division(mother, (pair[0], pair[1]), birth)
        self._census.divisions.append(division)

    def _are_sisters(self, mother: int, pair: list[int], birth: int) -> bool:
        """Tell whether sizes on both sides of a birth are those of a division."""
        if birth <= self.frames[0] or not self._census.lived_before(mother, birth):
            return False
        after, before = self._labels.get(birth), self._labels.get(birth - 1)
        one, other = (after == one for one in pair)
        sizes, _ = self._labels.sizes_before(mother, birth, self.frames[0])
        return (
            are_daughters((one, other), before == mother, self.options.sister_ratio)
            and came_out_of((one, other), sizes)
            and are_in_line(one, other)
            and not are_joined(one, other)
            and self._are_bodies(birth, self.source.read(birth), (one, other), pair)
        )

    def _are_bodies(
        self,
        frame_index: int,
        frame: np.ndarray,
        pair: tuple[np.ndarray, np.ndarray],
        ids: Sequence[int],
        is_cleft: bool = False,
    ) -> bool:
        """Tell whether two masks of some objects are two bodies; see `are_bodies`."""
        labels = self._labels.get(frame_index)
        others = (labels > 0) & ~np.isin(labels, ids)
        if not is_cleft and look_whole(frame, pair, others, CLEFT):
            return False
        return are_bodies(
            self.predictor, frame_index, frame, pair, others, is_cleft=is_cleft
        )

    # --- Daughters that are followed as one

    def _divide_covered(
        self,
        frame_index: int,
        frame: np.ndarray,
        masks: list[AutomaticMask],
        known: np.ndarray,
    ) -> None:
        """Divide objects in whose place the network sees two of like size."""
        options = self.options
        _, best = label_masks(
            [mask for mask in masks if mask.stability >= SURE],
            self.source.frame_shape,
            minimum_area=options.masks.minimum_area,
            minimum_visible=options.masks.minimum_visible,
        )
        pairs = pairs_inside(best, known, options.inside_share, options.sister_ratio)
        for mother, pair in pairs.items():
            if mother not in self._census.mothers:
                self._divide_pair(frame_index, frame, mother, pair)

    def _divide_shared(self, frame_index: int, frame: np.ndarray) -> None:
        """Divide whose halves two are followed on; the one from elsewhere was lost."""
        labels, is_last = self._labels.get(frame_index), frame_index == self.frames[-1]
        for host, guest, pair in parting_bodies(frame, labels, self._shared, is_last):
            ids, both = [host, guest], self._on_frame(pair)
            if (
                host in self._census.mothers
                or not self._is_guest(frame_index, host, guest)
                or not self._are_alike(pair, is_cleft=True)
                or not self._are_bodies(frame_index, frame, both, ids, is_cleft=True)
            ):
                continue
            if self.options.divisions is Divisions.PROPOSE:
                proposal = Division(host, (host, guest), frame_index)
                self._census.propose(proposal, STABLE)
                continue
            self._send_away(frame_index, frame, host, guest)
            self._divide_pair(frame_index, frame, host, pair, None)

    def _on_frame(
        self, pair: tuple[AutomaticMask, AutomaticMask]
    ) -> tuple[np.ndarray, np.ndarray]:
        return pair[0].on(self.source.frame_shape), pair[1].on(self.source.frame_shape)

    def _divide_parted(
        self, frame_index: int, frame: np.ndarray, step: StepResult
    ) -> None:
        """Divide whose raw masks are two, for long or halved, or have two lobes."""
        is_two, evidence = shows_two(step.division), step.division
        halved = self._labels.halved(frame_index)
        labels = self._labels.get(frame_index)
        is_last = frame_index == self.frames[-1]
        lobes, clefts = lobes_of(labels), clefts_of(frame, labels, is_last)
        for row, object_id in enumerate(step.object_ids):
            run = self._two_on.get(object_id, 0) + 1 if is_two[row] else 0
            self._two_on[object_id] = run
            if object_id in self._census.mothers:
                continue
            # Followed back, two are told apart where their mother still is one:
            # her masks say when. On the frame before they may have touched.
            first: int | None = frame_index - max(1, run)
            pair = clefts.get(object_id)
            if pair is not None and self._are_alike(pair, is_cleft=True):
                first = None
            elif run == STABLE or (run and object_id in halved):
                place = float(evidence.sister_y[row]), float(evidence.sister_x[row])
                pair = self._parts(frame_index, frame, object_id, place)
            else:
                pair = lobes.get(object_id)
            if pair is not None and self._are_alike(pair, is_cleft=first is None):
                self._divide_pair(frame_index, frame, object_id, pair, first)

    def _parts(
        self,
        frame_index: int,
        frame: np.ndarray,
        object_id: int,
        place: tuple[float, float],
    ) -> tuple[AutomaticMask, AutomaticMask] | None:
        """Return the two that an object is: its parts, or it and who is at a place."""
        own = self._labels.get(frame_index) == object_id
        pair = parts_of(own)
        if pair is not None and self._are_alike(pair):
            return pair
        seen = seen_at(self.predictor, frame_index, frame, place)
        known = self._labels.get(frame_index)
        return halves(own, seen & ((known == 0) | own))

    def _are_alike(
        self, pair: tuple[AutomaticMask, AutomaticMask], *, is_cleft: bool = False
    ) -> bool:
        """Tell whether two are large enough to be objects, and of like size, or cut."""
        options, areas = self.options, [mask.area for mask in pair]
        cut = are_cut_off(self._on_frame(pair)) if is_cleft else (False, False)
        return min(areas) >= options.masks.minimum_area and are_of_like_size(
            areas, options.sister_ratio, cut
        )

    def _divide_pair(
        self,
        frame_index: int,
        frame: np.ndarray,
        mother: int,
        pair: tuple[AutomaticMask, AutomaticMask],
        first: int | None = 0,
    ) -> None:
        """Follow two masks back to where they are one, and divide the object there.

        If sizes or places say that they are no daughters of hers, she goes on as one of
        them. See `_apart` for ``first``.
        """
        masks = self._on_frame(pair)
        if not self._are_bodies(frame_index, frame, masks, [mother], first is None):
            return
        ids = [self._census.add(frame_index, mask, mother) for mask in masks]
        before = self._labels.get(frame_index)
        self._show(frame_index, frame, ids)
        apart, is_hers = self._apart(frame_index, mother, ids, first)
        birth = min(apart, default=frame_index)
        both = apart.get(birth, masks)
        is_known = birth > self.frames[0] and self._census.lived_before(mother, birth)
        sizes, are_her_own = self._labels.sizes_before(mother, birth, self.frames[0])
        is_division = (
            is_known
            # Her size says more than ways back that may lead into a neighbour.
            and (is_hers or are_her_own)
            and came_out_of(both, sizes)
            and are_in_line(*both)
            and (first is not None or not is_bent(both[0] | both[1]))
        )
        is_accepted = self.options.divisions is Divisions.ACCEPT
        if is_division:
            division = Division(mother, (ids[0], ids[1]), birth)
            if not is_accepted:
                places = centre_of(both[0]), centre_of(both[1])
                division = Division(mother, (mother, 0), birth, places)
            self._census.divisions.append(division)
        if not (is_known and is_accepted):
            self._labels.put(frame_index, before)
            for daughter in ids:
                self.predictor.remove(daughter)
                del self._census.objects[daughter]
            return
        self._draw_apart(frame_index, mother, ids, apart)
        if is_division:
            self._census.end(mother, birth)
            self.predictor.remove(mother)
            for daughter, mask in zip(ids, both, strict=True):
                self._census.objects[daughter].masks[birth] = mask
        else:
            size = sizes[-1] if sizes else 0
            ids.sort(key=lambda one: abs(self._labels.area(one, frame_index) - size))
            self._part(frame_index, frame, mother, ids, birth)

    def _draw_apart(
        self,
        frame_index: int,
        known: int,
        ids: list[int],
        apart: dict[int, tuple[np.ndarray, np.ndarray]],
    ) -> None:
        """Draw two where one that is known was drawn."""
        self._labels.relabel(known, 0, min(apart, default=frame_index), frame_index)
        for earlier, both in apart.items():
            labels = self._labels.get(earlier)
            for object_id, mask in zip(ids, both, strict=True):
                labels[mask] = object_id
                self._census.objects[object_id].frames_seen += 1
            self._labels.put(earlier, labels)

    def _part(
        self,
        frame_index: int,
        frame: np.ndarray,
        known: int,
        ids: list[int],
        first: int,
    ) -> None:
        """Let an object go on as the first of two; the other one is a new object."""
        same, other = ids
        self._labels.relabel(same, known, first, frame_index)
        self.predictor.remove(same)
        self._census.join(same, known)
        self._census.objects[other].parent = None
        self._show(frame_index, frame, [known])

    def _apart(
        self, frame_index: int, mother: int, ids: list[int], first: int | None
    ) -> tuple[dict[int, tuple[np.ndarray, np.ndarray]], bool]:
        """Follow two objects back for as long as they are two.

        No further than to the look before, or to where their mother's area halves;
        beyond the frame ``first`` only while her mask has a dent between them. Not at
        all without it: the picture has just shown the cleft, and no frame before.

        Returns
        -------
        dict
            ``(Y, X)`` bool masks of both by frame, without the frame given.
        bool
            Whether both were in their mother on the frame before, as far as known.
        """
        apart: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        if first is None:
            return apart, True
        share, is_hers = self.options.inside_share, True
        self.predictor.forget_recent(ids)
        looked = max(self.frames[0], frame_index - self.options.every) + 1
        for earlier in range(frame_index - 1, looked - 1, -1):
            frame = self.source.read(earlier)
            step = self.predictor.step(earlier, frame, objects=ids, reverse=True)
            one, other = (self._drawn(step, [row]) > 0 for row in (0, 1))
            known = self._labels.get(earlier)
            whole = known == mother
            is_over = earlier < first and not is_dented(whole)
            # On the frame given they are drawn: what is left of her says nothing.
            if earlier + 1 < frame_index:
                is_over |= mother in self._labels.halved(earlier + 1)
            is_over |= not are_apart(one, other, self.options.sister_ratio)
            others = (known > 0) & (known != mother)
            if is_over or look_whole(frame, (one, other), others, CLEFT):
                is_hers = all(lies_in(mask, whole, share) for mask in (one, other))
                break
            apart[earlier] = one, other & ~one
        self.predictor.forget_recent(ids)
        return apart, is_hers

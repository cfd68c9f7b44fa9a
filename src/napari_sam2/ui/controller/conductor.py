"""Every verb of the window: from what people do to edits of the book and to jobs.

Knows the book, the engine and the worker; no panels and no layers.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import partial

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_sam2.engine import (
    DirectionsCompared,
    Event,
    Order,
    Request,
    corrects,
)
from napari_sam2.engine.engine import WARM_REACH
from napari_sam2.engine.jobs import Priority
from napari_sam2.prompts import FramePrompt, Place
from napari_sam2.session.book.drawn import drawn_prompts
from napari_sam2.session.book.intake import Intake
from napari_sam2.session.book.prompt_book import Edit, PromptBook
from napari_sam2.session.book.verbs import (
    flipped,
    in_one_step,
    kept_direction,
    taken_in,
)
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.planning.plan import Direction
from napari_sam2.ui.controller.book_editor import BookEditor, Follow
from napari_sam2.ui.controller.pending_answers import Claim
from napari_sam2.ui.controller.run_control import RunControl
from napari_sam2.ui.controller.shown_masklets import ShownMasklets

WARM_MS = 150
"""Somebody who stays on a frame for so long may click there."""

REPAIR_MS = 400
"""Live repair begins when nothing was corrected for so many milliseconds."""


class Conductor(BookEditor):
    """What panels and tools may ask for; see `BookEditor` for what it says.

    Parameters
    ----------
    request_of
        Returns what the panels say now; raises `InputError` if they cannot.
    parent
        The dock.
    """

    tracked = Signal(bool, bool)
    """Tracking has ended: whether it came to its end, whether it was cancelled."""
    paused = Signal(bool)
    """Tracking waits, or goes on."""

    def __init__(self, request_of: Callable[[], Request], parent: QObject) -> None:
        super().__init__(request_of, parent)
        self.runs = RunControl(self.worker, self._on_event, self.failed.emit, self)
        self.runs.ended.connect(self._on_ended)
        self.runs.paused.connect(self.paused)
        self.runs.book_renewed.connect(self._on_book_changed)
        self.answered.connect(self._repair_soon)
        self.live_repair = False
        self.warm_radius = WARM_REACH
        self._hovering = self._warming = 0
        self._last_said: Place | None = None
        self._warm_due = self._timer(WARM_MS, self._warm)
        self._repair_due = self._timer(REPAIR_MS, self._repair_live)

    @property
    def is_tracking(self) -> bool:
        """Whether something is tracked, or waits for it."""
        return self.runs.is_running

    def close(self) -> None:
        """Let nothing begin any more; what runs ends after its current step."""
        timers = self._scores_due, self._save_due, self._warm_due, self._repair_due
        for timer in timers:
            timer.stop()
        self.worker.close(self.engine.close)

    def forget_layer(self, layer_id: Hashable) -> list[Request]:
        """Let go of the masklets of a movie whose layer is gone for good.

        Returns
        -------
        list of Request
            Whose masklets they were.
        """
        gone = self._known.forget_layer(layer_id)
        if self._shown is not None and self._shown.request in gone:
            self.stop()
            self._shown = None
            self._on_book_changed()
        for request in gone:
            # After all that is still to be done for it.
            forget = partial(self.engine.forget, request)
            self._submit(forget, priority=Priority.WARM)
        return gone

    # --- Objects

    def add_object(self) -> int:
        """Begin a new object; return its id."""
        edit = self._edit(lambda book: book.add_object())
        return self.book.next_id if edit is None else edit.after.next_id - 1

    def remove_objects(self, object_ids: Iterable[int]) -> None:
        """Delete objects with all their masks."""
        gone = list(object_ids)
        self._stop_if_tracked(gone)
        self._edit(lambda book: book.remove_objects(gone))

    def rename(self, object_id: int, name: str) -> None:
        """Give an object another name."""
        self._edit(lambda book: book.rename(object_id, name))

    def set_parent(self, object_id: int, parent: int | None) -> None:
        """Say which object divided into this one."""
        self._edit(lambda book: book.set_parent(object_id, parent))

    def merge(self, kept: int, gone: int) -> None:
        """Make two objects one; masks of both become its masks."""
        self._stop_if_tracked((kept, gone))

        def steps(request: Request, edit: Edit, _claim: Claim) -> Iterator[Event]:
            pair = (kept, gone)
            return self.engine.merge(request, edit, pair, self.shown_frame)

        self._edit(lambda book: book.merge(kept, gone), steps)

    def duplicate(self, object_id: int) -> None:
        """Add an object with the same prompts."""
        self._edit(lambda book: book.duplicate(object_id))

    def set_hidden(self, object_ids: Iterable[int], is_hidden: bool) -> None:
        """Hide objects, or show them again."""
        ids = list(object_ids)
        self._edit(lambda book: book.set_hidden(ids, is_hidden))

    def lock(self, object_id: int, frames: FrameSet) -> None:
        """Keep an object as it is on some frames."""
        self._edit(lambda book: book.lock(object_id, frames))

    def unlock(self, object_id: int, frames: FrameSet) -> None:
        """Let an object change on some frames."""
        self._edit(lambda book: book.unlock(object_id, frames))

    def review(self, object_id: int, frames: FrameSet) -> None:
        """Note that an object was found right."""
        self._edit(lambda book: book.review(object_id, frames))

    def unreview(self, object_id: int, frames: FrameSet) -> None:
        """Take that back."""
        self._edit(lambda book: book.unreview(object_id, frames))

    def lock_all(self, object_ids: Iterable[int], frames: FrameSet) -> None:
        """Keep several objects as they are on some frames, in one step."""
        self._edit_each("lock", object_ids, lambda book, one: book.lock(one, frames))

    def unlock_all(self, object_ids: Iterable[int], frames: FrameSet) -> None:
        """Let several objects change, in one step."""
        self._edit_each(
            "unlock", object_ids, lambda book, one: book.unlock(one, frames)
        )

    def review_all(self, object_ids: Iterable[int], frames: FrameSet) -> None:
        """Note that several objects were found right, in one step."""
        self._edit_each(
            "review", object_ids, lambda book, one: book.review(one, frames)
        )

    def unreview_all(self, object_ids: Iterable[int], frames: FrameSet) -> None:
        """Take that back, in one step."""
        self._edit_each(
            "unreview", object_ids, lambda book, one: book.unreview(one, frames)
        )

    # --- Prompts

    def set_prompt(self, prompt: FramePrompt) -> None:
        """Say something about an object on a frame."""
        self._remember((prompt,))
        self._edit(lambda book: book.set_prompt(prompt))

    def set_prompts(self, prompts: Sequence[FramePrompt], text: str) -> None:
        """Say several things in one step."""
        self._remember(prompts)
        self._edit(lambda book: book.set_prompts(prompts, text))

    def take_in(self, intake: Intake) -> None:
        """Take objects in from elsewhere, in one step."""
        self._edit(lambda book: taken_in(book, intake))

    def clear_prompt(self, object_id: int, frame_index: int) -> None:
        """Take back what was said about an object on a frame."""
        self._edit(lambda book: book.clear_prompt(object_id, frame_index))

    def change_prompts(
        self,
        prompts: Sequence[FramePrompt],
        cleared: Iterable[tuple[int, int]],
        text: str,
    ) -> Edit | None:
        """Say some things and take others back, ``(object_id, frame)``, in one step."""
        places = list(cleared)
        self._remember(prompts)

        def verbs(book: PromptBook) -> None:
            for place in places:
                book.clear_prompt(*place)
            book.set_prompts(prompts, text)

        return self._edit(lambda book: in_one_step(book, text, verbs))

    def flip_last_point(self) -> None:
        """Turn the click that was made last round: inside, or outside."""
        if self._last_said is not None:
            object_id, frame_index = self._last_said
            self._edit(lambda book: flipped(book, object_id, frame_index))

    def stroke(self, frame_index: int, before: np.ndarray, after: np.ndarray) -> None:
        """Say that a frame is as somebody drew it: ``(Y, X)`` labels."""
        drawn = drawn_prompts(frame_index, before, after, self.book)
        if drawn.prompts or drawn.erased:
            cleared = [(one, frame_index) for one in drawn.erased]
            text = drawn.text(frame_index)
            if self.change_prompts(drawn.prompts, cleared, text) is None:
                self.read_frames([frame_index])  # as it was before the stroke

    # --- Undo

    def undo(self) -> None:
        """Take the last step back; tracking stops first."""
        self._hold_still()
        self._turn(self.engine.undo, is_redo=False)

    def redo(self) -> None:
        """Do the step again that was undone last; tracking stops first."""
        self._hold_still()
        self._turn(self.engine.redo, is_redo=True)

    # --- Tracking

    def track(self, order: Order) -> None:
        """Track objects; `happened` and `tracked` tell how it goes."""
        request = self._asked()
        if request is None or self._shown is None or self.is_tracking:
            return
        self._repair_due.stop()
        self.runs.start(self.engine, self._shown, request, order)

    def repair(self) -> None:
        """Track again what corrections made stale."""
        self.track(Order(start=self.shown_frame, is_repair=True))

    def set_live_repair(self, is_on: bool) -> None:
        """Repair at once after each correction, or not."""
        self.live_repair = is_on

    def stop(self) -> None:
        """Stop tracking after the current frame; nothing begins by itself."""
        self._hold_still()

    def pause(self) -> None:
        """Let tracking wait."""
        self.runs.pause()

    def resume(self) -> None:
        """Let tracking go on."""
        self.runs.resume()

    def keep_direction(self, found: DirectionsCompared, way: Direction) -> None:
        """Let one way of a comparison be what is written in its gap."""
        frames = FrameSet.of(found.agreement)

        def steps(request: Request, edit: Edit, _claim: Claim) -> Iterator[Event]:
            return self.engine.keep_direction(request, edit, way)

        self._edit(
            lambda book: kept_direction(book, found.object_id, frames, way), steps
        )

    # --- Looking

    def picture(self, frame_index: int) -> None:
        """Ask for a frame as the model sees it; `happened` brings a `Pictured`."""
        request = self._asked(is_quiet=True)
        if request is not None:
            steps = partial(self.engine.picture, request, frame_index)
            self._submit(steps, key="picture", priority=Priority.EDIT)

    def hover(self, frame_index: int, prompt: FramePrompt | None) -> None:
        """Ask what a click would give; None when nobody wants to know any more."""
        self._hovering += 1
        number = self._hovering
        if prompt is None:
            self.hovered.emit(frame_index, 0, None)
            return
        request = self._asked()
        if request is not None:
            steps = partial(
                self.engine.hover,
                request,
                self.book,
                prompt,
                lambda: number == self._hovering,
            )
            self._submit(steps, key="hover")

    def warm(self, frame_index: int) -> None:
        """Know what the person looks at; prepare the frames around it."""
        self.shown_frame = frame_index
        self._warming += 1
        self._warm_due.start()

    def look_again(self) -> None:
        """Prepare the frames anew: the model sees another picture of them."""
        self._hovering += 1  # what was hovered over is no answer to the new picture
        self.warm(self.shown_frame)

    def read_frames(self, frames: Sequence[int]) -> None:
        """Read labels that somebody wants to see."""
        request = self._asked()
        if request is not None:
            self._submit(partial(self.engine.read_frames, request, frames))

    # --- Steps

    def _stop_if_tracked(self, object_ids: Iterable[int]) -> None:
        """Stop a run that would write the masks of objects that are to go."""
        if self.runs.is_about(object_ids):
            self.runs.stop()

    def _edit_each(
        self,
        text: str,
        object_ids: Iterable[int],
        verb: Callable[[PromptBook, int], Edit | None],
    ) -> None:
        ids = list(object_ids)

        def verbs(book: PromptBook) -> None:
            for one in ids:
                verb(book, one)

        called = (
            f"{text} object {ids[0]}" if len(ids) == 1 else f"{text} {len(ids)} objects"
        )
        self._edit(lambda book: in_one_step(book, called, verbs))

    def _remember(self, prompts: Sequence[FramePrompt]) -> None:
        clicked = [prompt for prompt in prompts if prompt.points]
        if clicked:
            self._last_said = (clicked[-1].object_id, clicked[-1].frame_index)

    def _hold_still(self) -> None:
        self.runs.stop()
        self._repair_due.stop()

    def _show(self, shown: ShownMasklets) -> None:
        self.runs.stop()
        super()._show(shown)

    def _follow(
        self, request: Request, edit: Edit, steps: Follow | None = None
    ) -> None:
        if self.live_repair and corrects(edit):
            self.runs.give_way()
        super()._follow(request, edit, steps)

    def _repair_soon(self, edit: Edit) -> None:
        is_stale = any(thing.stale for thing in edit.after.objects)
        if self.live_repair and is_stale and corrects(edit):
            self._repair_due.start()

    def _is_repair_due(self) -> bool:
        """Whether a mask that was tracked before no longer follows from the prompts."""
        tables = self.tables
        if tables is None:
            return False
        computed = tables.computed()
        return any(
            computed[list(self.book[one].stale), column].any()
            for column, one in enumerate(tables.object_ids)
            if one in self.book
        )

    def _on_ended(self, is_done: bool, was_cancelled: bool) -> None:
        self._save_due.start()
        self.tracked.emit(is_done, was_cancelled)

    def _warm(self) -> None:
        request = self._asked(is_quiet=True)
        if request is None:
            return
        number = self._warming
        steps = partial(
            self.engine.warm,
            request,
            self.shown_frame,
            lambda: number == self._warming,
            self.warm_radius,
        )
        self._submit(steps, key="warm", priority=Priority.WARM)

    def _repair_live(self) -> None:
        if not self.live_repair or self._turning or not self._is_repair_due():
            return
        if not self.is_tracking:
            order = Order(start=self.shown_frame, is_repair=True, joins_step=True)
            self.track(order)
        elif self.runs.order.is_repair:
            # It goes on with what was corrected meanwhile, unless it has just ended.
            self._repair_due.start()

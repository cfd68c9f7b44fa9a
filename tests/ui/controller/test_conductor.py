"""What the window asks of the worker: real dock, an engine that only remembers."""

from pathlib import Path
from unittest.mock import MagicMock, create_autospec

import numpy as np
import pytest

from napari_sam2.engine import (
    BookReturned,
    Compared,
    Followed,
    FrameChanged,
    FramesChanged,
    Scored,
    StoreReady,
    Together,
    TrackingEngine,
)
from napari_sam2.engine.jobs import JobQueue, Priority
from napari_sam2.errors import InputError
from napari_sam2.interfaces import FrameResult, ObjectScores
from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.session.book.state import BookState, FrameFlag
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.planning.plan import Direction
from napari_sam2.session.scores.tables import ScoreRow
from napari_sam2.session.session import FrameDone
from napari_sam2.ui.controller import conductor


@pytest.fixture
def dock_with_mocks(open_dock, monkeypatch):
    """A dock whose engine and worker only remember what they were asked."""
    engine = create_autospec(TrackingEngine, instance=True)
    monkeypatch.setattr(conductor, "TrackingEngine", lambda _tell: engine)
    monkeypatch.setattr(conductor, "REPAIR_MS", 1)
    # From the start: a worker that is given a mock's endless steps fills the memory.
    monkeypatch.setattr(conductor.Worker, "submit", MagicMock())
    _, dock = open_dock()
    dock.conductor.worker.submit = MagicMock()
    dock.conductor.set_prompt(FramePrompt(1, 2, (PointPrompt(10, 20),)))
    return dock


def submitted(dock):
    return [call.args[0] for call in dock.conductor.worker.submit.call_args_list]


def test_panels_ask_the_engine_for_what_they_show(dock_with_mocks):
    dock = dock_with_mocks
    for job in submitted(dock):
        job.steps()
    request, edit, is_wanted, shown_frame = dock.conductor.engine.apply.call_args.args
    assert [one.anchors for one in edit.after.objects] == [(2,)]
    assert shown_frame == dock.frame_cursor.frame_index
    assert request.image.mapping.limits == ((100.0, 3000.0),)
    assert request.folder == Path.home() / "napari-sam2" / "movie-1.zarr"
    assert is_wanted(2)
    dock.conductor.set_prompt(FramePrompt(1, 2, (PointPrompt(12, 22),)))
    assert not is_wanted(2)  # somebody clicked again
    index = dock.track_panel.direction_combo.findData(Direction.BACKWARD)
    dock.track_panel.direction_combo.setCurrentIndex(index)
    dock.run_bar.track_button.click()
    (run,) = [job for job in submitted(dock) if job.priority is Priority.TRACK]
    run.steps()
    _, book, order = dock.conductor.engine.track.call_args.args
    assert [one.object_id for one in book.objects] == [1]
    assert order.direction is Direction.BACKWARD


def test_another_movie_has_a_session_of_its_own(dock_with_mocks, stack):
    dock = dock_with_mocks
    first, book = dock.output_panel.folder, dock.conductor.book
    dock.viewer.add_image(stack + 1, name="channel 2", axis_labels=("t", "y", "x"))
    dock.conductor.worker.submit.reset_mock()
    dock.input_panel.layer_combo.choose(dock.viewer.layers["channel 2"])
    assert dock.output_panel.folder.name == "channel-2-1.zarr"
    # The picture is as large: the prompts are taken over, and asked for.
    assert dock.conductor.book is not book
    assert [one.anchors for one in dock.conductor.book.objects] == [(2,)]
    submitted(dock)[0].steps()
    assert dock.conductor.engine.apply.call_args.args[1].text == "take over prompts"
    dock.conductor.worker.submit.reset_mock()
    dock.input_panel.layer_combo.choose(dock.viewer.layers["movie"])
    assert dock.output_panel.folder == first
    assert dock.conductor.book is book
    assert "show" in [job.key for job in submitted(dock)]
    dock.viewer.add_image(stack[:, :40], name="small", axis_labels=("t", "y", "x"))
    dock.input_panel.layer_combo.choose(dock.viewer.layers["small"])
    assert dock.conductor.book.objects == ()


def test_an_unexpected_error_leaves_nothing_hanging(dock_with_mocks):
    dock = dock_with_mocks
    dock.run_bar.track_button.click()
    assert dock.run_bar.is_tracking
    (job,) = [one for one in submitted(dock) if one.priority is Priority.TRACK]
    job.fail(InputError("the disk is full"))
    job.finish(False)
    assert "the disk is full" in dock.status.text()
    assert not dock.run_bar.is_tracking
    job.deliver(FrameChanged(0, np.zeros((96, 112), np.uint16)))  # late, and harmless


def test_edits_are_refused_while_a_step_is_being_undone(dock_with_mocks):
    dock = dock_with_mocks
    before = dock.conductor.book
    dock.conductor.undo()
    dock.conductor.set_prompt(FramePrompt(3, 0, (PointPrompt(1, 1),)))
    assert dock.conductor.book is before
    assert "One moment" in dock.status.text()
    job = submitted(dock)[-1]
    job.deliver(BookReturned("click", BookState()))
    job.finish(True)
    assert dock.conductor.book.objects == ()
    dock.conductor.set_prompt(FramePrompt(3, 0, (PointPrompt(1, 1),)))
    assert [one.object_id for one in dock.conductor.book.objects] == [3]


def test_late_previews_are_dropped(dock_with_mocks):
    dock = dock_with_mocks
    dock.conductor.hover(0, FramePrompt(2, 0, (PointPrompt(5, 5),)))
    submitted(dock)[-1].steps()
    *_, is_wanted = dock.conductor.engine.hover.call_args.args
    assert is_wanted()
    dock.conductor.hover(0, FramePrompt(2, 0, (PointPrompt(6, 6),)))
    assert not is_wanted()


def test_a_refused_stroke_is_taken_back(dock_with_mocks):
    dock = dock_with_mocks
    dock.conductor.flag(FrameFlag.LOCKED, [1], FrameSet.of([4]))
    before = np.zeros((96, 112), np.uint16)
    after = before.copy()
    after[3:6, 3:6] = 1
    book = dock.conductor.book
    dock.conductor.stroke(4, before, after)
    assert dock.conductor.book is book
    assert "locked" in dock.status.text()
    submitted(dock)[-1].steps()
    dock.conductor.engine.read_frames.assert_called_once()
    dock.conductor.stroke(5, before, after)
    assert dock.conductor.book[1].anchors == (2, 5)


def test_removing_what_is_tracked_stops_the_run(dock_with_mocks):
    dock = dock_with_mocks
    dock.run_bar.track_button.click()
    (run,) = [job for job in submitted(dock) if job.priority is Priority.TRACK]
    dock.conductor.set_prompt(FramePrompt(2, 0, (PointPrompt(5, 5),)))
    dock.conductor.remove_objects([2])
    assert not run.is_cancelled
    dock.conductor.remove_objects([1])
    assert run.is_cancelled


def test_what_was_tracked_is_no_longer_stale_unless_it_was_corrected(dock_with_mocks):
    dock = dock_with_mocks
    dock.conductor.set_prompt(FramePrompt(2, 0, (PointPrompt(5, 5),)))
    dock.run_bar.track_button.click()
    (run,) = [job for job in submitted(dock) if job.priority is Priority.TRACK]
    run.deliver(FrameDone(7, (1, 2), True, 1, 20))
    dock.conductor.set_prompt(FramePrompt(2, 0, (PointPrompt(6, 6),)))
    run.finish(True)
    assert 7 not in dock.conductor.book[1].stale
    assert 7 in dock.conductor.book[2].stale


def scores_on(frame_index):
    """Scores of object 1 on a frame."""
    area = np.array([5], np.int64)
    number = np.array([1.0], np.float32)
    scores = ObjectScores(number, number, number, area)
    labels = np.ones((2, 2), np.uint16)
    result = FrameResult(frame_index, labels, (1,), np.zeros((1, 2, 2)), scores)
    return Scored(ScoreRow.of(result))


def scored(dock, frames):
    """Let the masks of object 1 be known on some frames."""
    job = submitted(dock)[0]
    for frame_index in frames:
        job.deliver(scores_on(frame_index))


@pytest.fixture
def begins_repair(qtbot):
    """Whether a live repair begins by itself, after some time."""

    def begins(conductor):
        qtbot.wait(30)
        return conductor.is_tracking

    return begins


def test_a_first_click_is_followed_by_no_repair_of_what_was_never_tracked(
    dock_with_mocks, begins_repair
):
    dock = dock_with_mocks
    dock.conductor.set_live_repair(True)
    scored(dock, [2])  # the answer to the click; all other frames are stale
    submitted(dock)[0].finish(True)
    assert not begins_repair(dock.conductor)
    scored(dock, [3])  # tracked once, and stale
    submitted(dock)[0].finish(True)
    assert begins_repair(dock.conductor)


def runs_asked(dock):
    """Runs that were asked for, and what for."""
    asked = []
    for job in submitted(dock):
        if job.priority is Priority.TRACK:
            job.steps()
            asked.append((job, dock.conductor.engine.track.call_args.args[2]))
    return asked


def answer_last(dock):
    """Let the worker be done with what was asked for last but saving."""
    submitted(dock)[-1].finish(True)


def test_a_live_repair_joins_the_step_of_its_correction(dock_with_mocks, begins_repair):
    dock = dock_with_mocks
    conductor = dock.conductor
    conductor.set_live_repair(True)
    scored(dock, [2, 3])
    conductor.set_prompt(FramePrompt(1, 5, (PointPrompt(10, 20),)))
    answer_last(dock)
    assert begins_repair(conductor)
    ((live, order),) = runs_asked(dock)
    assert (order.is_repair, order.joins_step) == (True, True)
    # It goes on with a correction that it meets, and marks what follows from it.
    conductor.set_prompt(FramePrompt(1, 8, (PointPrompt(10, 20),)))
    live.deliver(FrameDone(3, (1,), True, 1, 20))
    assert begins_repair(conductor)
    assert not live.is_cancelled
    live.deliver(Followed(conductor.book))
    live.deliver(FrameDone(4, (1,), True, 2, 20))
    live.finish(True)
    assert (3 in conductor.book[1].stale, 4 in conductor.book[1].stale) == (True, False)
    # Asked for, it is a step of its own, until somebody corrects something.
    conductor.repair()
    (_, (own, order)) = runs_asked(dock)
    assert (order.is_repair, order.joins_step) == (True, False)
    conductor.rename(1, "mother")
    assert not own.is_cancelled
    conductor.set_prompt(FramePrompt(1, 9, (PointPrompt(10, 20),)))
    assert own.is_cancelled
    own.finish(False)
    answer_last(dock)
    conductor.stop()
    assert not begins_repair(conductor)


def test_tracking_asked_for_by_key_during_a_live_repair_waits_for_its_end(
    dock_with_mocks, begins_repair
):
    dock = dock_with_mocks
    conductor = dock.conductor
    conductor.set_live_repair(True)
    scored(dock, [2, 3])
    conductor.set_prompt(FramePrompt(1, 5, (PointPrompt(10, 20),)))
    answer_last(dock)
    assert begins_repair(conductor)
    dock.verbs.track_toggled.emit()
    ((live, _),) = runs_asked(dock)
    assert not live.is_cancelled
    assert "as soon as the repair has ended" in dock.status.text()
    live.finish(True)
    (_, (wanted, order)) = runs_asked(dock)
    assert (order.is_repair, order.direction) == (False, Direction.BOTH)
    dock.verbs.track_toggled.emit()  # of a run that somebody asked for, it is the end
    assert wanted.is_cancelled


def test_what_waits_for_a_live_repair_is_stopped_with_it(
    dock_with_mocks, begins_repair
):
    dock = dock_with_mocks
    dock.conductor.set_live_repair(True)
    scored(dock, [2, 3])
    dock.conductor.set_prompt(FramePrompt(1, 5, (PointPrompt(10, 20),)))
    answer_last(dock)
    assert begins_repair(dock.conductor)
    dock.verbs.track_toggled.emit()
    dock.conductor.stop()
    ((live, _),) = runs_asked(dock)
    live.finish(False)
    assert len(runs_asked(dock)) == 1


def test_only_what_makes_masks_stale_begins_a_live_repair(
    dock_with_mocks, begins_repair
):
    conductor = dock_with_mocks.conductor
    conductor.set_live_repair(True)
    scored(dock_with_mocks, [2, 3])
    conductor.rename(1, "mother")
    answer_last(dock_with_mocks)
    assert not begins_repair(conductor)
    conductor.clear_prompt(1, 2)
    answer_last(dock_with_mocks)
    assert not begins_repair(conductor)  # nothing is said any more
    conductor.set_prompt(FramePrompt(1, 5, (PointPrompt(10, 20),)))
    answer_last(dock_with_mocks)
    assert begins_repair(conductor)


def test_a_save_is_not_overtaken_by_the_click_after_it(dock_with_mocks):
    dock = dock_with_mocks
    engine, waiting = dock.conductor.engine, JobQueue()
    dock.conductor.worker.submit.side_effect = waiting.add
    dock.conductor.save()
    dock.conductor.set_prompt(FramePrompt(1, 3, (PointPrompt(10, 20),)))
    dock.conductor.save()
    engine.reset_mock()
    while (turn := waiting.take()) is not None:
        turn.job.steps()
        waiting.drop(turn)
    called = [name for name, _, _ in engine.method_calls]
    assert [one for one in called if one in ("save", "apply")] == [
        "save",
        "apply",
        "save",
    ]
    books = [call.args[1].book for call in engine.save.call_args_list]
    assert [book[1].anchors for book in books] == [(2,), (2, 3)]


def test_what_is_undone_returns_to_the_masklets_that_it_was_asked_for(
    dock_with_mocks, stack
):
    dock = dock_with_mocks
    dock.conductor.worker.submit.reset_mock()
    dock.conductor.undo()
    (undoing,) = submitted(dock)
    first = dock.conductor.book
    dock.viewer.add_image(stack[:, :50], name="other", axis_labels=("t", "y", "x"))
    dock.input_panel.layer_combo.choose(dock.viewer.layers["other"])
    second = dock.conductor.book
    assert second is not first
    earlier = BookState()
    undoing.deliver(BookReturned("click", earlier))
    undoing.finish(True)
    assert dock.conductor.book is second
    dock.input_panel.layer_combo.choose(dock.viewer.layers["movie"])
    assert dock.conductor.book is earlier


@pytest.fixture
def late(dock_with_mocks, stack):
    """A dock that went on with a shorter movie; jobs of the longer one still run.

    With what was asked for when the longer one was shown.
    """
    dock = dock_with_mocks
    dock.run_bar.track_button.click()
    jobs = submitted(dock)
    answering = next(job for job in jobs if job.key is None)
    (tracking,) = [job for job in jobs if job.priority is Priority.TRACK]
    request, book = dock.request(), dock.conductor.book
    small = stack[:3, :50]
    dock.viewer.add_image(small, name="other", axis_labels=("t", "y", "x"))
    dock.input_panel.layer_combo.choose(dock.viewer.layers["other"])
    dock.conductor.worker.submit.reset_mock()
    assert dock.conductor.book is not book
    return dock, request, answering, tracking


def test_late_scores_stay_with_the_masklets_that_they_are_of(late):
    dock, _, *jobs = late
    other = dock.conductor.tables
    for frame_index, job in zip((5, 6), jobs, strict=True):
        job.deliver(scores_on(frame_index))
    assert dock.conductor.tables is other
    dock.input_panel.layer_combo.choose(dock.viewer.layers["movie"])
    computed = dock.conductor.tables.computed()
    assert list(np.flatnonzero(computed.any(axis=1))) == [5, 6]


def test_late_labels_are_seen_when_their_masklets_are_shown_again(late):
    dock, request, answering, tracking = late
    happened, changed = MagicMock(), MagicMock()
    dock.conductor.happened.connect(happened)
    dock.conductor.frame_changed.connect(lambda frame, _labels: changed(frame))
    labels = np.zeros((96, 112), np.uint16)
    ready = StoreReady(request, np.dtype(np.uint16), lambda _frame: labels)
    tracking.deliver(ready)
    answering.deliver(FrameChanged(2, labels))
    tracking.deliver(
        Together((FrameChanged(5, labels), FrameDone(5, (1,), True, 1, 8)))
    )
    answering.deliver(FramesChanged(FrameSet.of([7])))
    happened.assert_not_called()
    changed.assert_not_called()
    dock.input_panel.layer_combo.choose(dock.viewer.layers["movie"])
    told = [call.args[0] for call in happened.call_args_list]
    assert told == [ready, FramesChanged(FrameSet.of([2, 5, 7]))]
    happened.reset_mock()
    tracking.deliver(FrameChanged(5, labels))  # it is shown again
    changed.assert_called_once_with(5)


def test_late_answers_are_no_answers_to_what_is_shown(late):
    dock, _, answering, _ = late
    answered = MagicMock()
    dock.conductor.answered.connect(answered)
    answering.finish(True)
    answered.assert_not_called()


def test_clicks_on_another_movie_make_no_answer_late(late):
    dock, _, answering, _ = late
    dock.conductor.set_prompt(FramePrompt(1, 2, (PointPrompt(10, 20),)))
    answering.steps()
    *_, is_wanted, _ = dock.conductor.engine.apply.call_args.args
    assert is_wanted(2)


def test_a_comparison_that_was_left_still_tells_of_masklets(dock_with_mocks, open_dock):
    dock, directions = dock_with_mocks, open_dock.docks[0].comparison
    dock.track_panel.compare_button.click()
    comparing = submitted(dock)[-1]
    happened = MagicMock()
    dock.conductor.happened.connect(happened)
    directions.end()
    empty = np.zeros((96, 112), np.uint16)
    ready = StoreReady(dock.request(), empty.dtype, lambda _frame: empty)
    comparing.deliver(scores_on(4))
    comparing.deliver(ready)
    comparing.deliver(Compared(4, 1, 8, np.ones((96, 112), np.uint8)))
    happened.assert_called_once_with(ready)
    assert dock.conductor.tables.computed()[4].all()
    assert directions.layer is None

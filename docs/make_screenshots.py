"""Make the pictures of the documentation anew, by doing what the tutorial says.

``python tools/with_display.py python docs/make_screenshots.py`` opens the sample movies
in a real viewer, clicks, draws, presses keys, tracks, corrects and undoes as
``docs/tutorial.md`` tells, and saves the windows to ``docs/images``. It stops where the
program does not do what the tutorial promises. Settings and masklets of the person who
runs it are not touched.

With ``--tutorial --size 1089x768 --theme light --folder DIR`` it follows the tutorial
alone, in a window of that size, and leaves the pictures of the documentation as they
are.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from person import CELLS, MOMENT, PATIENCE, Person, middle_of, process_events
from pictures import SETTING, save_widget

from napari_sam2.prompts import FramePrompt, MaskPrompt
from napari_sam2.session.book.proposals import ProposedDivision
from napari_sam2.synthetic import MovieConfig, SimulatedMovie

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget


BATCH_WIDTH = 560
WIDE = (1366, 768)
"""A window that is wider than napari's at its first start."""

COARSE = 16
"""Points squared at which everything is asked for: cells of the sample are larger."""

MOTHER, DAUGHTER, LAST_OF_DAUGHTERS = (1, 43), (15, 50), 56
"""Nuclei of the sample, and where they are clicked on: she divides on frame 47."""

LARGE, SMALL, CLOSE_UP = 1024, 13, 5.0
"""Pixels across a movie, and across cells that nano loses in it; zoom on one."""


def main() -> None:
    """Make all pictures, or those of the tutorial."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tutorial", action="store_true", help="nothing else")
    parser.add_argument("--size", help="of the window, such as 1089x768")
    parser.add_argument("--theme", choices=("dark", "light"), default=SETTING.theme)
    parser.add_argument("--folder", type=Path, default=SETTING.folder)
    asked = parser.parse_args()
    SETTING.theme, SETTING.folder = asked.theme, asked.folder
    if asked.size is not None:
        width, height = map(int, asked.size.split("x"))
        SETTING.size = width, height
    with without_settings_of_a_person() as home:
        follow_the_tutorial()
        if asked.tutorial:
            return
        picture_phase_contrast()
        picture_batch(home)
        picture_everything()
        picture_scribble_and_alike()
        picture_division()
        picture_small_cells()


@contextmanager
def without_settings_of_a_person() -> Iterator[Path]:
    """Begin as somebody who never started napari; return the folder of that home."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["NAPARI_CONFIG"] = str(Path(home) / "settings.yaml")
        os.environ["HOME"] = os.environ["USERPROFILE"] = home
        os.environ["XDG_CONFIG_HOME"] = os.environ["XDG_DATA_HOME"] = home
        yield Path(home)


def follow_the_tutorial() -> None:
    """Do all steps of the tutorial."""
    me = Person("Dividing nuclei", SETTING.theme)
    parts = me.parts
    me.save("tutorial-open.png")
    click_on_nuclei(me)
    # --- Track
    me.push("G")
    bar = parts.run_bar.bar
    process_events(PATIENCE, lambda: 0 < bar.maximum() / 2 < bar.value())
    assert parts.frame_cursor.frame_index > 0, "the picture does not go along"
    me.save("tutorial-tracking.png")
    me.rest()
    assert me.labels(-1).any(), "the last frame has no mask"
    # --- What is doubtful
    me.push("J")
    me.rest()
    me.save("tutorial-doubtful.png")
    repair(me)
    save_section(me, "movie", "panel-movie.png")
    save_section(me, "model", "panel-model.png")
    save_section(me, "objects", "panel-objects.png")
    save_widget(me.dock.strip, "panel-time.png")
    me.push("Q")
    process_events(MOMENT)
    save_widget(key_sheet(), "keys.png")
    key_sheet().close()
    go_on_tomorrow(me)


def click_on_nuclei(me: Person) -> None:
    """Click, look at a preview, and click on the others."""
    parts = me.parts
    me.press(parts.prompt_panel.tool_button)
    assert parts.tool.is_on
    cells = me.largest_cells()
    me.click(*cells[0])
    me.rest()
    assert me.labels(0).any(), "the first click has no mask"
    me.save("tutorial-click.png")
    me.preview(*cells[1])
    me.save("tutorial-preview.png")
    me.let_go_of_shift()
    for cell in cells[1:]:
        me.click(*cell)
        me.rest()
    assert set(np.unique(me.labels(0))) == {0, *range(1, CELLS + 1)}
    me.save("tutorial-clicks.png")


def repair(me: Person) -> None:
    """Correct an object on a frame, see its gaps repaired, undo and redo."""
    parts = me.parts
    me.go_to(40)
    object_id = parts.selection.current
    before = np.array(me.labels(40))
    y, x = me.somewhere_in(object_id, 40)
    me.drag((y - 12, x - 12), (y + 12, x + 12))
    me.rest()
    corrected = np.array(me.labels(40))
    assert not np.array_equal(before, corrected), "the box changed nothing"
    me.save("tutorial-corrected.png")
    me.push("Z", "Control")
    me.rest()
    np.testing.assert_array_equal(me.labels(40), before)
    me.push("Z", "Control", "Shift")
    me.rest()
    np.testing.assert_array_equal(me.labels(40), corrected)
    save_section(me, "track", "panel-track.png")
    me.go_to(20)
    parts.track_panel.compare_button.click()
    me.rest()
    save_section(me, "track", "panel-compare.png")
    parts.track_panel.comparison_row.stay_button.click()
    me.go_to(40)
    me.push("K")
    me.push("U")
    me.rest()
    assert 40 in parts.conductor.book[object_id].locked


def go_on_tomorrow(me: Person) -> None:
    """Close napari, and go on with the session in another one."""
    parts = me.parts
    last = np.array(me.labels(59))
    said = [
        (one.object_id, one.anchors, one.locked) for one in parts.conductor.book.objects
    ]
    me.close()
    me = Person("Dividing nuclei", SETTING.theme)
    menu = me.parts.output_panel.recent.menu()
    menu.aboutToShow.emit()
    me.rest()
    menu.actions()[0].trigger()
    me.rest()
    me.go_to(59)
    me.rest()
    np.testing.assert_array_equal(me.labels(59), last)
    book = me.parts.conductor.book
    assert said == [(one.object_id, one.anchors, one.locked) for one in book.objects]
    me.close()


def picture_phase_contrast() -> None:
    """Finished masklets on another sample movie, in the light theme."""
    SETTING.size = WIDE
    me = Person("Cells in phase contrast", "light")
    me.press(me.parts.prompt_panel.tool_button)
    for cell in me.largest_cells():
        me.click(*cell)
        me.rest()
    me.push("G")
    me.rest()
    me.go_to(30)
    me.save("light.png")
    me.close()


def picture_batch(home: Path) -> None:
    """Three movies, the last without label images beside it, in *SAM 2 Batch*."""
    import napari

    viewer = napari.Viewer()
    viewer.theme = "dark"
    viewer.window.resize(*SETTING.size)
    window, dock = viewer.window.add_plugin_dock_widget("napari-sam2", "SAM 2 Batch")
    window.setMinimumWidth(BATCH_WIDTH)
    dock.asked.add([str(path) for path in write_movies(home / "movies")])
    dock.asked.policy_combo.setCurrentText("label images of Cellpose")
    process_events(MOMENT)
    dock.start_button.click()
    process_events(PATIENCE, lambda: not dock.is_running)
    process_events(MOMENT)
    assert "1 not whole" in dock.status.text(), dock.status.text()
    save_widget(dock, "panel-batch.png")
    viewer.close()
    process_events(MOMENT)


def write_movies(folder: Path) -> list[Path]:
    """Write three simulated movies, and label images for two of them."""
    import tifffile

    from napari_sam2.synthetic import MovieConfig, SimulatedMovie

    folder.mkdir()
    paths = []
    for number in range(3):
        movie = SimulatedMovie(
            MovieConfig(frame_count=10, frame_shape=(128, 128), seed=number)
        )
        paths.append(folder / f"position-{number + 1}.tif")
        with tifffile.TiffWriter(paths[-1]) as writer:
            for index in range(movie.frame_count):
                writer.write(movie.frame(index), contiguous=True)
        if number < 2:
            masks = folder / f"{paths[-1].stem}_cp_masks.tif"
            tifffile.imwrite(masks, movie.labels(0))
    return paths


def picture_everything() -> None:
    """Masks of everything on a frame, their export, and a family."""
    me = Person("Dividing nuclei", SETTING.theme)
    parts = me.parts
    me.dock.sections.movie.set_open(False)
    parts.automatic_panel.grid_spin.setValue(COARSE)
    me.dock.find_everything()
    process_events(PATIENCE, parts.automatic_panel.take_button.isEnabled)
    process_events(MOMENT)
    me.save("everything.png")
    save_section(me, "everything", "panel-everything.png")
    parts.automatic_panel.take_button.click()
    me.rest()
    parts.output_panel.export_button.click()
    process_events(MOMENT)
    save_widget(me.dock.exchange.exporter.dialog, "export.png")
    me.dock.exchange.exporter.dialog.hide()
    last = me.viewer.dims.nsteps[0] // 2
    labels = me.labels(0)
    ids = [int(one) for one in np.unique(labels[labels > 0])[:2]]
    new = parts.conductor.book.next_id
    for object_id in (new, new + 1):
        mask = MaskPrompt(labels == ids[object_id - new])
        parts.conductor.set_prompt(FramePrompt(object_id, last, mask=mask))
    for object_id in (new, new + 1):
        parts.conductor.set_parent(object_id, ids[0])
    parts.selection.go_on_with(new)
    me.rest()
    me.dock.strip.setCurrentIndex(1)
    process_events(3 * MOMENT)
    save_widget(me.dock.strip, "family.png")
    me.close()


def picture_scribble_and_alike() -> None:
    """Draw a line through a nucleus, and look for what is like it."""
    me = Person("Dividing nuclei", SETTING.theme)
    parts = me.parts
    me.press(parts.prompt_panel.tool_button)
    y, x = me.largest_cells()[0]
    me.drag((y - 6, x - 6), (y + 6, x + 6), "Shift")
    me.rest()
    assert me.labels(0).any(), "the line has no mask"
    me.save("scribble.png")
    for name in ("movie", "clicks"):
        me.dock.sections.sections[name].set_open(False)
    me.dock.sections.sections["everything"].set_open(True)
    parts.automatic_panel.grid_spin.setValue(COARSE)
    process_events(MOMENT)
    me.press(parts.automatic_panel.similar_button)
    process_events(PATIENCE, parts.automatic_panel.take_button.isEnabled)
    process_events(MOMENT)
    me.save("more-like-this.png")
    me.close()


def picture_division() -> None:
    """Follow a nucleus that divides; its division is proposed, and accepted."""
    me = Person("Dividing nuclei", SETTING.theme)
    parts, truth = me.parts, me.viewer.layers[1].data
    me.press(parts.prompt_panel.tool_button)
    for nucleus, first in (MOTHER, DAUGHTER):
        me.go_to(first)
        me.click(*middle_of(np.asarray(truth[first]) == nucleus))
        me.rest()
        parts.track_panel.range_row.set_range(first, LAST_OF_DAUGHTERS)
        me.push("G")
        me.rest()
        me.push("N")
    # nano sees two nuclei in her mask on two frames: what is shown takes one more.
    me.dock.proposals.show((ProposedDivision(1, 2, DAUGHTER[1]),))
    me.push("D")
    process_events(MOMENT)
    me.save("division-proposed.png")
    me.push("D")
    me.rest()
    parents = [one.parent for one in parts.conductor.book.objects]
    assert parents == [None, 1, 1], parents
    me.push("G")
    me.rest()
    me.dock.strip.setCurrentIndex(1)
    process_events(3 * MOMENT)
    me.save("division.png")
    me.close()


def picture_small_cells() -> None:
    """Cells too small for the model in a large movie: looked at whole, and closely."""
    SETTING.size = WIDE
    config = MovieConfig(
        frame_count=3, frame_shape=(LARGE, LARGE), cell_count=150, cell_size=SMALL,
        division_rate=0, seed=7,
    )  # fmt: skip
    movie = SimulatedMovie(config)
    frames = np.stack([movie.frame(index) for index in range(config.frame_count)])
    me = Person(frames, SETTING.theme)
    truth = movie.labels(0)
    inside = slice(LARGE // 3, 2 * LARGE // 3)
    cell = next(one for one in np.unique(truth[inside, inside]) if one)
    y, x = middle_of(truth == cell)
    camera = me.viewer.scene.camera
    camera.center, camera.zoom = (0, y, x), CLOSE_UP
    process_events(MOMENT)
    me.press(me.parts.prompt_panel.tool_button)
    me.click(y, x)
    me.rest()
    me.save("tiles-offer.png")
    me.press(me.parts.offer.buttons[0])
    me.rest()
    camera.center, camera.zoom = (0, y, x), CLOSE_UP
    me.dock.sections.movie.set_open(False)
    me.dock.sections.model.set_open(True)
    process_events(MOMENT)
    me.save("tiles-closely.png")
    mask, there = me.labels(0) > 0, truth == cell
    overlap = (mask & there).sum() / (mask | there).sum()
    assert overlap > 0.5, f"what was clicked on is not found: J {overlap:.2f}"
    me.close()


def key_sheet() -> QWidget:
    """Return the sheet of keys that is open."""
    from qtpy.QtWidgets import QApplication

    from napari_sam2.ui.keys.sheet import KeySheet

    return next(
        one
        for one in QApplication.topLevelWidgets()
        if isinstance(one, KeySheet) and one.isVisible()
    )


def save_section(me: Person, name: str, picture: str) -> None:
    """Save a section of the dock, opened for the picture if it is folded."""
    one = me.dock.sections.sections[name]
    was_open = one.is_open
    one.set_open(True)
    process_events(3 * MOMENT)
    save_widget(one, picture)
    one.set_open(was_open)
    process_events(MOMENT)


if __name__ == "__main__":
    main()

"""What the dock is made of: panels, layers, the tool, the conductor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from napari_sam2.engine import Order, Request
from napari_sam2.engine.jobs import Job, Priority
from napari_sam2.session.planning.plan import Direction
from napari_sam2.ui.automatic.panel import AutomaticPanel
from napari_sam2.ui.controller.conductor import Conductor
from napari_sam2.ui.controller.cursor import Cursor
from napari_sam2.ui.controller.key_verbs import KeyVerbs
from napari_sam2.ui.controller.selection import Selection
from napari_sam2.ui.dock.help import Beginning, HelpButton
from napari_sam2.ui.keys.bindings import ToolKeys
from napari_sam2.ui.lineage.panel import LineagePanel
from napari_sam2.ui.masklets.layer import MaskletLayer
from napari_sam2.ui.masklets.output_panel import OutputPanel
from napari_sam2.ui.model.files import ModelFiles
from napari_sam2.ui.model.panel import ModelPanel
from napari_sam2.ui.movie.panel import InputPanel
from napari_sam2.ui.objects.panel import ObjectPanel
from napari_sam2.ui.plots.panel import PlotsPanel
from napari_sam2.ui.prompts.mark_layers import NEGATIVE_COLOR, POSITIVE_COLOR
from napari_sam2.ui.prompts.marks import PromptMarks
from napari_sam2.ui.prompts.panel import PromptPanel
from napari_sam2.ui.prompts.sources_panel import PromptSources
from napari_sam2.ui.prompts.volume_panel import VolumePanel
from napari_sam2.ui.timeline.panel import TimelinePanel
from napari_sam2.ui.tool.labels_tool import LabelsTool
from napari_sam2.ui.track.panel import TrackPanel
from napari_sam2.ui.track.run_bar import RunBar
from napari_sam2.ui.widgets.connections import Connections, close_all
from napari_sam2.ui.widgets.offer import Offer
from napari_sam2.ui.widgets.preferences import read_preferences
from napari_sam2.ui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer
    from qtpy.QtCore import QObject


class TrackerParts:
    """Makes and holds the parts of a dock; who connects them is given this.

    Parameters
    ----------
    parent
        The dock: what is no widget goes with it.
    """

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        self.viewer = viewer
        self.connections = Connections()
        self.preferences = read_preferences()
        self._make_panels()
        self.masklets = MaskletLayer(viewer, parent)
        self.conductor = Conductor(self.request, parent)
        self.selection = Selection(parent)
        self.frame_cursor = Cursor(viewer, self._movie, self.connections, parent)
        self.keys = ToolKeys(parent)
        self.keys.bind_viewer(viewer)
        self.tool = LabelsTool(viewer, self.keys, parent)
        self.prompt_panel.set_tool(self.tool.action)
        self.marks = PromptMarks(viewer, self.keys, parent)
        self.verbs = KeyVerbs(
            self.keys, self.conductor, self.selection, self.frame_cursor
        )
        self.files = ModelFiles(self.model_panel, self.status.complain, parent)
        self._request: Request | None = None
        self.input_panel.image_changed.connect(self._on_panel_changed)
        self.model_panel.choice_changed.connect(self._on_panel_changed)
        self.output_panel.edit.textChanged.connect(self._on_panel_changed)

    def _make_panels(self) -> None:
        viewer, connections = self.viewer, self.connections
        self.input_panel = InputPanel(viewer, connections, self.preferences)
        self.model_panel = ModelPanel(self.preferences)
        self.prompt_panel = PromptPanel(viewer, connections)
        self.prompt_panel.show_polarity_colors(POSITIVE_COLOR, NEGATIVE_COLOR)
        self.prompt_sources = PromptSources(viewer, connections)
        self.volume_panel = VolumePanel(viewer, connections)
        self.object_panel = ObjectPanel()
        self.offer = Offer()
        self.help_button = HelpButton(viewer)
        self.run_bar = RunBar(self.preferences)
        self.track_panel = TrackPanel(self.preferences)
        self.output_panel = OutputPanel()
        self.beginning = Beginning(viewer, self.output_panel.recent.menu())
        self.timeline_panel = TimelinePanel()
        self.plots_panel = PlotsPanel()
        self.automatic_panel = AutomaticPanel()
        self.lineage_panel = LineagePanel()
        self.status = StatusLine(viewer)

    def close(self) -> None:
        """Let go of layers, keys and files; the widgets may be gone already."""
        views = self.marks, self.tool, self.keys, self.connections, self.masklets
        close_all((*views, self.conductor, self.files))

    # --- What the panels say

    def request(self) -> Request:
        """Return what the panels say; they are asked again when one has changed.

        Raises
        ------
        InputError
            If there is no movie.
        """
        if self._request is None:
            choice = self.model_panel.choice
            self._request = Request(
                self.input_panel.image_input(),
                choice.model,
                self.output_panel.folder,
                choice.device,
                choice.precision,
                choice.budget,
                choice.tiles,
                choice.tracker,
            )
        return self._request

    def ask(
        self,
        steps: Callable[[], Iterator[object]],
        deliver: Callable[[Any], None],
        priority: Priority = Priority.CLICK,
    ) -> None:
        """Let the worker do something; what goes wrong is said in the status line."""
        job = Job(steps, deliver, self.status.complain, priority=priority)
        self.conductor.worker.submit(job)

    def order(self, direction: Direction) -> Order:
        """Return what is to be tracked, as the panels say now."""
        frames = self.track_panel.range_row.frames
        return Order(
            direction,
            (frames.first, frames.stop - 1),
            self.track_panel.merge,
            self.frame_cursor.frame_index,
        )

    def _on_panel_changed(self) -> None:
        self._request = None

    def _movie(self) -> tuple[Image | None, int | None]:
        return self.input_panel.layer, self.input_panel.frame_axis

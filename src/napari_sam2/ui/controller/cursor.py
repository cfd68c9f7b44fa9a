"""The frame that the viewer shows, of the movie that is chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_sam2.ui.widgets.connections import Connections

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer


class Cursor(QObject):
    """Tells where the viewer is, and goes elsewhere.

    Parameters
    ----------
    image_of
        Returns the movie's layer and its frame axis; None for either if there is none.
    """

    moved = Signal(int)
    """Another frame is shown."""

    def __init__(
        self,
        viewer: Viewer,
        image_of: Callable[[], tuple[Image | None, int | None]],
        connections: Connections,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._image_of = image_of
        self._told = -1
        connections.add(viewer.dims.events.current_step, self.look)

    @property
    def frame_index(self) -> int:
        """The frame that is shown; 0 where there is no movie."""
        layer, axis = self._image_of()
        if layer is None or axis is None:
            return 0
        return max(0, round(layer.world_to_data(self._viewer.dims.point)[axis]))  # type: ignore[no-any-return]

    @property
    def is_everywhere(self) -> bool:
        """Whether all frames are shown at once, as a volume."""
        layer, axis = self._image_of()
        if layer is None or axis is None:
            return False
        dims = self._viewer.dims
        return dims.ndim - layer.ndim + axis in dims.displayed

    def look(self, _event: object = None) -> None:
        """Tell where the viewer is, if that is new."""
        if self.frame_index != self._told:
            self.tell()

    def tell(self) -> None:
        """Tell where the viewer is: those who are about another movie now ask again."""
        self._told = self.frame_index
        self.moved.emit(self._told)

    def go_to(self, frame_index: int) -> None:
        """Show a frame."""
        layer, axis = self._image_of()
        if layer is None or axis is None:
            return
        position = list(layer.world_to_data(self._viewer.dims.point)[-layer.ndim :])
        position[axis] = frame_index
        dims = self._viewer.dims
        world = layer.data_to_world(position)[axis]
        dims.set_point(dims.ndim - layer.ndim + axis, world)

"""A book and an engine, driven by hand as the conductor drives them."""

from napari_sam2.engine import BookReturned, Order, Together, TrackingEngine
from napari_sam2.engine.movie.axes import lay_out_layer
from napari_sam2.engine.movie.image_input import (
    GREY,
    ChannelSource,
    ImageInput,
    Look,
    SeenChannel,
)
from napari_sam2.interfaces import Calibration
from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.session.book.prompt_book import PromptBook
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.session import FrameDone


def click(object_id, frame_index, *places):
    """A prompt of positive clicks at these (y, x)."""
    return FramePrompt(object_id, frame_index, tuple(PointPrompt(*at) for at in places))


def movie_input(array, limits=(100.0, 3000.0)):
    """An image layer of this array, as it is seen with these contrast limits."""
    source = ChannelSource("layer", None, "movie")
    channel = SeenChannel(GREY, source, Look(limits), id(array), array)
    return ImageInput(
        layer_id="layer",
        array_id=id(array),
        name="movie",
        axes=lay_out_layer(array.shape, ("t", "y", "x"), 0, {}),
        is_rgb=False,
        channels=(channel,),
        calibration=Calibration(),
        array=array,
    )


class Table:
    """Somebody who edits a book and lets an engine follow, step by step."""

    def __init__(self, request, frame_count, engine=None):
        self.request = request
        self.engine = engine or TrackingEngine(tell=print)
        self.book = PromptBook(frame_count)

    @property
    def store(self):
        return self.engine.store_of(self.request)

    def labels(self, frame_index):
        return self.store.read_labels(frame_index)

    def follow(self, edit, is_wanted=lambda _frame: True):
        return list(self.engine.apply(self.request, edit, is_wanted, 0))

    def say(self, *prompts):
        return self.follow(self.book.set_prompts(prompts, "say"))

    def track(self, **order):
        """Track to the end; return what was said."""
        return list(self.run(**order))

    def run(self, **order):
        run = self.engine.track(self.request, self.book.state, Order(**order))
        try:
            for event in flat(run):
                if isinstance(event, FrameDone) and event.written:
                    for one in event.object_ids:
                        self.book.mark_tracked({one: FrameSet.of([event.frame_index])})
                yield event
        finally:
            run.close()

    def turn(self, verb):
        """Undo or redo; return what was said."""
        said = list(verb(self.request))
        for event in said:
            if isinstance(event, BookReturned):
                self.book.replace(event.state)
        return said


def flat(events):
    """Events one by one, also those that were told together."""
    for event in events:
        yield from event.events if isinstance(event, Together) else (event,)


def done_frames(events):
    """Frames that were written, in order."""
    return [e.frame_index for e in events if isinstance(e, FrameDone) and e.written]


def of_kind(kind, events):
    """Events of a kind."""
    return [event for event in events if isinstance(event, kind)]

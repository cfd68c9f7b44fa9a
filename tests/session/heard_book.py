"""A book that tells of each change."""

from napari_sam2.session.book.prompt_book import Edit, PromptBook


class HeardBook(PromptBook):
    """Calls with the states before and after each change."""

    def __init__(self, frame_count, heard):
        super().__init__(frame_count)
        self._heard = heard

    def replace(self, state):
        before = self.state
        super().replace(state)
        if state is not before:
            self._heard(before, state)


def in_one_step(book, text, *edits):
    """Let several edits that were made be one."""
    return Edit(text, edits[0].before, book.state)

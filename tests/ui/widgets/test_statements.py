"""What the line says, and when it is no longer so."""

from napari_sam2.errors import InputError, ModelError, OutputError
from napari_sam2.ui.widgets.status_line import (
    ENDS,
    Change,
    Statement,
    Statements,
    Topic,
    ends_of,
)


def texts(statements):
    said = statements.current
    return None if said is None else said.text


def test_an_answer_goes_with_the_next_deed():
    for deed in (Change.MOVIE, Change.EDIT, Change.SELECTION, Change.BEGUN):
        said = Statements()
        said.say(Statement("Redone: click."))
        said.note(Change.IDLE)
        assert texts(said) == "Redone: click."
        said.note(deed)
        assert texts(said) is None


def test_work_is_over_when_the_worker_has_nothing_to_do():
    said = Statements()
    said.say(Statement("Loading the model …", Topic.WORK, ENDS[Topic.WORK]))
    said.note(Change.EDIT)
    assert texts(said) == "Loading the model …"
    said.note(Change.IDLE)
    assert texts(said) is None


def test_an_answer_is_not_covered_by_what_runs_already():
    said = Statements()
    for frame in (1, 2):
        said.say(Statement(f"frame {frame}", Topic.RUN, ENDS[Topic.RUN]))
    said.say(Statement("Nothing found here"))
    said.say(Statement("frame 3", Topic.RUN, ENDS[Topic.RUN]))
    assert texts(said) == "Nothing found here"
    said.note(Change.SELECTION)
    assert texts(said) == "frame 3"
    said.note(Change.ENDED)
    assert texts(said) is None


def test_an_error_lasts_as_long_as_its_cause():
    causes = {
        Change.MODEL: ModelError("no such model"),
        Change.FOLDER: OutputError("the disk is full"),
        Change.MOVIE: InputError("choose a movie first"),
    }
    for change, error in causes.items():
        assert change in set(ends_of(error))
        assert Change.ENDED not in set(ends_of(error))  # a run ends by its error
    assert Change.EDIT not in set(ends_of(ModelError("no such model")))

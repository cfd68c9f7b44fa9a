"""What answers to clicks remember does not grow with the objects of a movie."""

from tests.engine.engine_steps import Table, click

from napari_sam2.tracking.memory.slots import ROW_BLOCK

FRAMES = 3
OBJECTS = ROW_BLOCK + 2


def test_corrections_of_many_objects_take_the_memory_of_a_block(request_for, stack):
    table = Table(request_for(array=stack[:FRAMES]), FRAMES)
    places = {one: (10 + 8 * one, 60) for one in range(1, OBJECTS + 1)}
    table.say(*(click(one, 0, place) for one, place in places.items()))
    table.track()
    bank = table.engine.workspace.prepared[1].predictor.bank
    for one, place in places.items():
        table.say(click(one, 2, place))
        assert one in bank.table.object_ids
        assert len(bank.table.object_ids) <= ROW_BLOCK

import pytest

from napari_sam2.session.visibility import visibility_remark


@pytest.mark.parametrize(
    ("shape", "size", "areas", "words"),
    [
        ((512, 512), 256, [900.0], None),
        ((2048, 2048), 1024, [20 * 20], None),
        ((2048, 2048), 256, [20 * 20, 90 * 90, 0], "1 of 2 objects is less than 8"),
        ((2048, 2048), 256, [20 * 20], "the smallest 2.5: let it see a part"),
        ((2048, 2048), 256, [400, 300], "2 of 2 objects are less than 8"),
        ((256, 2048), 256, [90 * 90], "256 × 2048 pixels are squeezed 8 : 1"),
        ((2048, 256), 256, [], "2048 × 256 pixels are squeezed 8 : 1"),
        ((300, 900), 256, [], None),
    ],
)
def test_what_the_model_can_hardly_see_is_said_with_the_remedy(
    shape, size, areas, words
):
    said = visibility_remark(shape, size, areas)
    assert said is None if words is None else words in said

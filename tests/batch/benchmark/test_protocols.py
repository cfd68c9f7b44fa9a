"""The protocols with a toy network, each against a slow second one."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from napari_sam2.batch.benchmark.cell_tracking import cell_tracking_scores
from napari_sam2.batch.benchmark.following import BASELINES, Tracker, follow
from napari_sam2.batch.benchmark.images import clicked_regions
from napari_sam2.batch.benchmark.interactive import ObjectOfVideo, offline, online
from napari_sam2.batch.benchmark.rules import OTHERS, RULES
from napari_sam2.batch.benchmark.runs import BenchmarkJob, run_vos
from napari_sam2.cli import app
from napari_sam2.errors import InputError
from napari_sam2.io.training.images import LabelledImage
from napari_sam2.io.training.mask_videos import video_of
from napari_sam2.metrics import boundary_similarity, evaluate, region_similarity
from napari_sam2.metrics.clicks import next_click
from napari_sam2.model.checkpoints.checkpoint import load_model
from napari_sam2.prompts import FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.tracking.postprocess import label_image
from napari_sam2.tracking.predictor import StreamingPredictor

FRAMES = 4


@pytest.fixture(scope="module")
def video(movie):
    frames = np.stack([movie.frame(at) for at in range(FRAMES)])
    shown = (frames // max(1, int(frames.max()) // 255)).clip(0, 255).astype(np.uint8)
    labels = np.stack([movie.labels(at) for at in range(FRAMES)]).astype(np.int32)
    return video_of(LabelledImage("toy", shown[..., None], labels))


@pytest.fixture(scope="module")
def tracker(toy):
    return Tracker(load_model(toy), "cpu")


def mask_of(step, shape):
    return label_image((1,), step.logits, shape, np.uint8) == 1


def new(tracker, video):
    return StreamingPredictor(
        tracker.model,
        frame_shape=video.frame_shape,
        frame_count=video.frame_count,
        device="cpu",
    )


def clicked(predictor, video, truth, at, guess):
    """Click three times on a frame; return the mask and how often."""
    points = []
    for _ in range(3):
        click = next_click(truth[at], guess)
        if click is None:
            break
        points.append(PointPrompt(float(click.y), float(click.x), click.positive))
        said = FramePrompt(1, at, points=tuple(points))
        step = predictor.step(at, video.read_frame(at), [said])
        guess = mask_of(step, video.frame_shape)
    return guess, len(points)


def scores(truth, masks):
    regions = [region_similarity(t, m) for t, m in zip(truth, masks, strict=True)]
    bounds = [boundary_similarity(t, m) for t, m in zip(truth, masks, strict=True)]
    return np.mean(regions), np.mean(bounds), regions


def naive_offline(tracker, video, truth, rounds):
    anchors, at, clicks, found = [], 0, 0, []
    for number in range(1, rounds + 1):
        predictor, guess = new(tracker, video), None
        for anchor in anchors:
            place = anchor.frame_index
            predictor.replay(place, video.read_frame(place), anchor)
        for before in range(at + 1) if anchors else ():
            step = predictor.step(before, video.read_frame(before))
            guess = mask_of(step, video.frame_shape)
        _, given = clicked(predictor, video, truth, at, guess)
        clicks += given
        anchors = predictor.anchors()
        predictor = new(tracker, video)
        for anchor in anchors:
            place = anchor.frame_index
            predictor.replay(place, video.read_frame(place), anchor)
        masks = [
            mask_of(predictor.step(i, video.read_frame(i)), video.frame_shape)
            for i in range(FRAMES)
        ]
        region, boundary, each = scores(truth, masks)
        seconds = number * (FRAMES * 0.1 + 1) + 1.5 * clicks
        found.append((region, boundary, clicks, seconds))
        prompted = {anchor.frame_index for anchor in anchors}
        at = min((i for i in range(FRAMES) if i not in prompted), key=each.__getitem__)
    return found


def naive_online(tracker, video, truth, rounds):
    found = []
    for allowed in range(1, rounds + 1):
        predictor, masks, clicks, prompted = new(tracker, video), [], 0, 0
        for at in range(FRAMES):
            guess = None
            if prompted:
                step = predictor.step(at, video.read_frame(at))
                guess = mask_of(step, video.frame_shape)
            is_poor = guess is None or region_similarity(truth[at], guess) < 0.75
            if is_poor and prompted < allowed:
                guess, given = clicked(predictor, video, truth, at, guess)
                clicks, prompted = clicks + given, prompted + 1
            masks.append(guess)
        region, boundary, _ = scores(truth, masks)
        seconds = FRAMES * 0.1 + prompted + 1.5 * clicks
        found.append((region, boundary, clicks, seconds))
    return found


@pytest.mark.parametrize(
    ("protocol", "naive"), [(offline, naive_offline), (online, naive_online)]
)
def test_rounds_of_clicks_are_those_of_the_slow_protocol(
    protocol, naive, tracker, video
):
    truth = [video.read_masks(at)[1] for at in range(FRAMES)]
    rounds = list(protocol(ObjectOfVideo(tracker, video, 1), rounds=3))
    expected = naive(tracker, video, truth, 3)
    assert [tuple(asdict(one).values()) for one in rounds] == [
        pytest.approx(values) for values in expected
    ]


def test_vos_follows_masks_as_a_plain_loop_does(tracker, video):
    predictor = new(tracker, video)
    found = list(follow(tracker, "mask", video, OTHERS))
    for at in range(FRAMES):
        first = video.read_masks(0) if at == 0 else {}
        prompts = [FramePrompt(i, 0, mask=MaskPrompt(m)) for i, m in first.items()]
        step = predictor.step(at, video.read_frame(at), prompts)
        labels = label_image(step.object_ids, step.logits, video.frame_shape)
        for one, mask in found[at].items():
            np.testing.assert_array_equal(mask, labels == one)


def test_masks_of_sav_may_overlap_and_those_of_davis_never_do(tracker, video):
    def overlap(rules):
        masks = list(follow(tracker, "1 click", video, rules))[-1]
        return sum(mask.astype(int) for mask in masks.values()).max()

    assert overlap(RULES["davis"]) <= 1 < overlap(RULES["sav-test"])


def test_images_are_clicked_on_as_in_a_plain_loop(tracker, video):
    found = list(clicked_regions(tracker, video, clicks=3))
    row = 0
    for at in video.annotated:
        for truth in video.read_masks(at).values():
            predictor, points, guess, regions = new(tracker, video), (), None, []
            for _ in range(3):
                click = next_click(truth, guess)
                if click is not None:
                    points += (PointPrompt(click.y, click.x, click.positive),)
                    said = [FramePrompt(1, at, points=points)]
                    step = predictor.preview(at, video.read_frame(at), said)
                    guess = mask_of(step, video.frame_shape)
                regions.append(region_similarity(truth, guess))
            assert found[row] == pytest.approx(regions, abs=1e-2)
            row += 1
    assert len(found) == row


def test_a_held_mask_scores_as_evaluate_says(video, tmp_path):
    _write_tracks(tmp_path, video)
    job = BenchmarkJob("vos", tmp_path, "tracks", model="first-mask")
    score = run_vos(job)
    truth = [_labels(video.read_masks(at), video) for at in range(FRAMES)]
    held = evaluate(truth, [truth[0]] * FRAMES, frames=range(1, FRAMES))
    assert score.total.region_and_boundary == pytest.approx(held.region_and_boundary)


def test_otsu_follows_bright_squares():
    labels = np.zeros((4, 40, 40), np.int32)
    for at in range(4):
        labels[at, 5 + at : 15 + at, 5:15] = 1
        labels[at, 20:30, 20 + at : 30 + at] = 2
    frames = np.where(labels > 0, 200, 10).astype(np.uint8)[..., None]
    video = video_of(LabelledImage("squares", frames, labels))
    for at, masks in enumerate(BASELINES["otsu"](video, OTHERS)):
        for one, mask in masks.items():
            assert region_similarity(labels[at] == one, mask) > 0.8


def test_cells_are_counted_by_the_challenge():
    """Two cells; the first is lost for a frame, then both are taken for each other."""
    pytest.importorskip("ctc_metrics")
    truth = np.zeros((5, 20, 20), np.uint16)
    truth[:, 2:8, 2:8], truth[:, 12:18, 12:18] = 1, 2
    guess = truth.copy()
    guess[1][guess[1] == 1] = 0
    guess[4] = np.choose(truth[4], [0, 2, 1])
    same = cell_tracking_scores(truth, truth)
    assert same == {"SEG": 1.0, "DET": 1.0, "TRA": 1.0, "IDSW": 0.0}
    found = cell_tracking_scores(truth, guess)
    assert found["SEG"] == pytest.approx(9 / 10)  # one of ten cells has no mask
    assert found["DET"] == pytest.approx(9 / 10)
    assert found["TRA"] < found["DET"]
    assert found["IDSW"] == 2


@pytest.mark.parametrize("protocol", ["vos", "images", "interactive-online"])
def test_the_command_tells_its_numbers_as_json(protocol, toy, video, tmp_path):
    _write_tracks(tmp_path, video)
    options = ["--layout", "tracks", "--model", str(toy), "--frames", "0:2", "--json"]
    done = CliRunner().invoke(app, ["benchmark", protocol, str(tmp_path), *options])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["protocol"] == protocol


@pytest.mark.parametrize(
    ("field", "value"), [("protocol", "video"), ("prompt", "2 clicks")]
)
def test_what_is_not_known_is_refused(field, value, tmp_path):
    given = {"protocol": "vos", field: value}
    with pytest.raises(InputError, match=value):
        BenchmarkJob(dataset=tmp_path, layout="davis", **given)


def _labels(masks, video):
    labels = np.zeros(video.frame_shape, np.uint16)
    for one, mask in masks.items():
        labels[mask] = one
    return labels


def _write_tracks(folder, video):
    frames = [video.read_frame(at)[..., 0] for at in range(FRAMES)]
    labels = [_labels(video.read_masks(at), video) for at in range(FRAMES)]
    tifffile.imwrite(folder / "movie.tif", np.stack(frames), photometric="minisblack")
    tifffile.imwrite(folder / "tracks.tif", np.stack(labels), photometric="minisblack")

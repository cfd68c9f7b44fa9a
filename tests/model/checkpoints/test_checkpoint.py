"""Checkpoints: every published form loads, and what does not fit says why."""

from __future__ import annotations

import hashlib
import pickle
import re
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from napari_sam2.errors import ModelError, OutputError
from napari_sam2.model.checkpoints.checkpoint import (
    build_model,
    load_model,
    save_model,
)
from napari_sam2.model.checkpoints.notes import read_notes
from napari_sam2.model.checkpoints.official_keys import rename_key
from napari_sam2.model.checkpoints.weights_file import weights_path, weights_sha256
from napari_sam2.model.config import CONFIGS
from napari_sam2.model.sam2 import Sam2

OFFICIAL_NAMES = [name for name in CONFIGS if name.startswith("sam2")]


@pytest.fixture(scope="module")
def toy() -> Sam2:
    return build_model("toy", seed=1)


def shapes(name: str) -> dict[str, torch.Size]:
    with torch.device("meta"):
        state = Sam2(CONFIGS[name]).state_dict()
    return {key: value.shape for key, value in state.items()}


def official_state(model: Sam2) -> dict[str, torch.Tensor]:
    return {
        rename_key(key, to_official=True): value
        for key, value in model.state_dict().items()
    }


def assert_same_weights(loaded: Sam2, expected: Sam2) -> None:
    state = expected.state_dict()
    assert loaded.state_dict().keys() == state.keys()
    for key, value in loaded.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, state[key])


# --- Names


@pytest.mark.parametrize("name", OFFICIAL_NAMES)
def test_renaming_goes_both_ways_and_merges_nothing(name):
    ours = shapes(name)
    official = [rename_key(key, to_official=True) for key in ours]
    assert len(set(official)) == len(ours)
    assert [rename_key(key) for key in official] == list(ours)


@pytest.mark.parametrize(
    ("official", "ours"),
    [
        ("maskmem_tpos_enc", "memory_tokenizer.time"),
        ("no_mem_embed", "no_memory"),
        ("no_mem_pos_enc", "no_memory_position"),
        ("image_encoder.neck.convs.3.conv.bias", "image_encoder.neck.laterals.3.bias"),
        (
            "image_encoder.trunk.blocks.11.mlp.layers.0.weight",
            "image_encoder.trunk.model.blocks.11.mlp.fc1.weight",
        ),
        (
            "sam_mask_decoder.transformer.layers.0.mlp.layers.0.weight",
            "mask_decoder.transformer.layers.0.mlp.layers.0.weight",
        ),
        ("memory_attention.norm.weight", "memory_attention.norm.weight"),
        ("no_mem_embedding", "no_mem_embedding"),
    ],
)
def test_renamed(official, ours):
    assert rename_key(official) == ours
    assert rename_key(ours, to_official=True) == official


# --- Loading


@pytest.mark.parametrize("suffix", [".pt", ".pth"])
@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("official", [True, False])
def test_pickled_state_dicts_load(toy, tmp_path, suffix, wrapped, official):
    state = official_state(toy) if official else toy.state_dict()
    path = tmp_path / f"mine{suffix}"
    torch.save({"model": state} if wrapped else state, path)
    loaded = load_model(path)
    assert loaded.config == CONFIGS["toy"]
    assert not loaded.training
    assert_same_weights(loaded, toy)


def test_safetensors_of_official_names_load(toy, tmp_path):
    path = tmp_path / "converted.safetensors"
    save_file(official_state(toy), path)
    assert_same_weights(load_model(str(path)), toy)


def test_half_precision_becomes_float32(toy, tmp_path):
    path = tmp_path / "half.pt"
    torch.save({k: v.bfloat16() for k, v in toy.state_dict().items()}, path)
    loaded = load_model(path)
    assert {value.dtype for value in loaded.state_dict().values()} == {torch.float32}


@pytest.mark.parametrize("name", OFFICIAL_NAMES)
def test_the_variant_is_read_from_keys_and_shapes(name, tmp_path, monkeypatch):
    """With tensors that take no room: a large model would need a gigabyte."""
    state = {key: torch.ones(()).expand(shape) for key, shape in shapes(name).items()}
    monkeypatch.setattr("torch.load", lambda *_args, **_options: {"model": state})
    path = tmp_path / "unnamed.pt"
    path.touch()
    assert load_model(path).config == CONFIGS[name]


def test_of_variants_that_look_alike_a_person_says_which(tmp_path, monkeypatch):
    name = "efficienttam_ti_2"
    state = {key: torch.ones(()).expand(shape) for key, shape in shapes(name).items()}
    monkeypatch.setattr("torch.load", lambda *_args, **_options: {"model": state})
    path = tmp_path / "unnamed.pt"
    path.touch()
    with pytest.raises(ModelError, match="may be efficienttam_ti or eff"):
        load_model(path)
    assert load_model(path, meant=name).config == CONFIGS[name]


def test_counters_of_batch_norms_are_no_weights(toy, tmp_path):
    state = official_state(toy)
    state["image_encoder.trunk.body.stem.conv1.bn.num_batches_tracked"] = torch.ones(())
    torch.save(state, tmp_path / "counted.pt")
    assert_same_weights(load_model(tmp_path / "counted.pt"), toy)


def test_loaded_weights_can_be_trained(toy, tmp_path):
    save_model(toy, tmp_path / "toy.safetensors")
    loaded = load_model(tmp_path / "toy.safetensors").train()
    embedding = loaded.embed(torch.zeros(1, 3, 64, 64))
    embedding.features.sum().backward()
    assert loaded.image_encoder.neck.laterals[0].weight.grad is not None


def test_the_bundled_model_loads_offline():
    model = load_model("nano")
    assert model.config.name == "nano_lite"
    assert all(value.isfinite().all() for value in model.state_dict().values())
    assert weights_path("nano").stat().st_size <= 24_000_000


# --- Saving


def test_equal_models_are_equal_files(toy, tmp_path):
    written = set()
    for number in range(12):
        save_model(toy, tmp_path / f"{number}.safetensors", notes={"\x1f\x7fé": '"'})
        written.add((tmp_path / f"{number}.safetensors").read_bytes())
    assert len(written) == 1
    assert read_notes(tmp_path / "0.safetensors")["\x1f\x7fé"] == '"'


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_saved_and_loaded(toy, tmp_path, dtype):
    path = tmp_path / "toy.safetensors"
    save_model(toy, path, dtype=dtype, notes={"trained": "on nothing"})
    loaded = load_model(path)
    for key, value in loaded.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, toy.state_dict()[key].to(dtype).float())
    with safe_open(path, framework="pt") as file:
        notes = {"config": "toy", "image_size": "64", "trained": "on nothing"}
        assert file.metadata() == notes


@pytest.mark.parametrize(
    "changed", [{"image_size": 96}, {"one_component": True}, {"frame_fit": "pad"}]
)
def test_input_and_component_rule_are_kept(tmp_path, changed):
    from dataclasses import replace

    config = replace(CONFIGS["toy"], **changed)
    path = tmp_path / "larger.safetensors"
    save_model(build_model(config, seed=0), path)
    assert load_model(path).config == config


def test_weights_from_before_the_component_rule_are_followed_as_they_were(tmp_path):
    path = tmp_path / "old.safetensors"
    save_model(build_model("nano", seed=0), path)
    tensors, notes = load_file(path), {"config": "nano", "image_size": "256"}
    save_file(tensors, path, notes)
    assert not load_model(path).config.one_component


def test_saving_where_nothing_can_be_written(toy, tmp_path):
    with pytest.raises(OutputError, match=r"cannot write .*toy\.safetensors"):
        save_model(toy, tmp_path / "missing" / "toy.safetensors")


def test_weights_depend_on_the_seed_alone(toy):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    again = build_model("toy", seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert_same_weights(again, toy)
    assert not torch.equal(build_model("toy", seed=2).no_memory, toy.no_memory)


# --- Which file


def test_the_hash_is_that_of_the_file(toy, tmp_path):
    path = tmp_path / "toy.safetensors"
    save_model(toy, path)
    assert weights_sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_path_relative_to_the_home_folder(toy, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    save_model(toy, tmp_path / "toy.safetensors")
    assert weights_path("~/toy.safetensors") == tmp_path / "toy.safetensors"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sam3", r"no model called 'sam3': use one of nano, .*\.safetensors"),
        ("folder/sam3.pt", r"sam3\.pt: there is no such file"),
        ("notes.txt", r"notes\.txt: give a \.pt, \.pth or \.safetensors file"),
    ],
)
def test_no_such_model(name, message, tmp_path, monkeypatch):
    (tmp_path / "notes.txt").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=message):
        load_model(name)


# --- What does not fit


def refuse(state: object, path: Path, message: str) -> None:
    torch.save(state, path)
    with pytest.raises(ModelError, match=message) as raised:
        load_model(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_weight_is_named_as_the_file_names_it(toy, tmp_path):
    state = official_state(toy)
    del state["sam_prompt_encoder.no_mask_embed.weight"]
    refuse(
        state,
        tmp_path / "cut.pt",
        r"does not fit toy: sam_prompt_encoder\.no_mask_embed\.weight is missing "
        r"\(1 differences in all\); it is most likely a toy",
    )


def test_the_first_of_many_differences_is_named(toy, tmp_path):
    state = toy.state_dict()
    state["absent_pointer"] = torch.zeros(1, 48)
    state["surplus"] = torch.zeros(1)
    refuse(
        state,
        tmp_path / "odd.pt",
        r"absent_pointer has shape \(1, 48\), expected \(1, 32\) \(2 differences",
    )


def test_a_file_that_says_it_is_another_variant(toy, tmp_path):
    path = tmp_path / "mislabelled.safetensors"
    save_file(toy.state_dict(), path, {"config": "sam2.1_tiny"})
    with pytest.raises(ModelError, match=r"does not fit sam2\.1_tiny: .* likely a toy"):
        load_model(path)


def test_another_network_altogether(tmp_path):
    refuse(
        {"layer1.0.conv1.weight": torch.zeros(64, 3, 7, 7)},
        tmp_path / "resnet.pt",
        r"no SAM 2 that is known here \(its first weight is 'layer1\.0\.conv1",
    )


@pytest.mark.parametrize(
    "content",
    [{}, [torch.zeros(1)], torch.zeros(3), {"model": {}}, {"epoch": 3}, {1: 2}],
    ids=repr,
)
def test_no_state_dict(content, tmp_path):
    refuse(content, tmp_path / "odd.pt", "state dict")


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code of a checkpoint was run",))


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_not_run(tmp_path, zipped):
    path = tmp_path / "evil.pt"
    torch.save({"model": Bomb()}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelError, match="Python objects besides tensors"):
        load_model(path)
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelError, match="Python objects besides tensors"):
        load_model(path)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_files_cut_short(toy, tmp_path, suffix):
    path = tmp_path / f"cut{suffix}"
    if suffix == ".pt":
        torch.save(toy.state_dict(), path)
    else:
        save_model(toy, path)
    whole = path.read_bytes()
    for length in (0, 1, 8, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"broken.*get it again"):
            load_model(path)


@settings(max_examples=60)
@example(content=b"J", suffix=".pt")  # torch: struct.error
@given(content=st.binary(max_size=200), suffix=st.sampled_from([".pt", ".safetensors"]))
def test_any_bytes_give_a_clear_error(content, suffix, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / f"noise{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelError) as raised:
        load_model(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e20])
def test_weights_that_no_training_leads_to_are_refused(toy, tmp_path, value):
    """They gave empty labels and exit code 0."""
    state = {key: tensor.clone() for key, tensor in toy.state_dict().items()}
    state["mask_decoder.iou_token.weight"][0, 3] = value
    path = tmp_path / "damaged.safetensors"
    save_file(state, path)
    reached = re.escape(f"iou_token.weight reaches {abs(value):g}")
    with pytest.raises(ModelError, match=reached):
        load_model(path)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (lambda one: one.to(torch.int8), "is int8, not of floating-point numbers"),
        (lambda one: one > 0, "is bool, not of floating-point numbers"),
        (lambda one: one.to(torch.complex64), "is complex64, not of floating-point"),
        (torch.zeros_like, "all weights are 0"),
    ],
)
def test_weights_that_are_no_weights_are_refused(toy, tmp_path, changed, words):
    """They gave empty labels and exit code 0."""
    path = tmp_path / "empty.safetensors"
    save_file({key: changed(one) for key, one in toy.state_dict().items()}, path)
    with pytest.raises(ModelError, match=words):
        load_model(path)


def test_weights_that_name_their_variant_are_compared_with_no_other(monkeypatch):
    built = []

    class Counted(Sam2):
        def __init__(self, config):
            built.append(config.name)
            super().__init__(config)

    monkeypatch.setattr("napari_sam2.model.checkpoints.checkpoint.Sam2", Counted)
    load_model("nano")
    assert set(built) == {"nano_lite"}

"""Checkpoints: from a name or a file to a network, and back to a file.

Files are taken as they are published: official ``.pt`` files, flat state dicts, and
safetensors, with the official names of the weights or ours. Which variant a file holds
is read from its keys and shapes. Nothing but tensors is ever unpickled.
"""

from __future__ import annotations

import json
import pickle
import struct
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.overrides import TorchFunctionMode

from napari_sam2.errors import ModelError, OutputError
from napari_sam2.model.checkpoints.download import ProgressCallback
from napari_sam2.model.checkpoints.notes import (
    CONFIG_NOTE,
    FRAME_FIT_NOTE,
    IMAGE_SIZE_NOTE,
    ONE_COMPONENT_NOTE,
    PADDED,
    YES,
    noted_image_size,
)
from napari_sam2.model.checkpoints.official_keys import has_official_keys, rename_key
from napari_sam2.model.checkpoints.weights_file import SAFETENSORS_SUFFIX, weights_path
from napari_sam2.model.config import CONFIGS, Sam2Config
from napari_sam2.model.sam2 import Sam2

LARGEST_WEIGHT = 1e4
"""Larger ones come from damage or a training that failed; those of nano are below 4."""

COUNTERS = ".num_batches_tracked"
"""Ending of what batch norms count while they learn; of no use afterwards."""

DRAWING = {"uniform_", "normal_", "erfinv_"}
"""Functions of torch, and of its tensors, that fill one with random numbers."""

# What torch raises for a file that is cut short, is no pickle, or is no archive.
_BROKEN_PICKLE = (
    AssertionError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)


def build_model(config: str | Sam2Config, *, seed: int) -> Sam2:
    """Build a network with random weights that depend on the seed alone.

    Parameters
    ----------
    config
        A variant, or its name in `CONFIGS`.
    seed
        Seed of the weights; torch's global generator is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Sam2(CONFIGS[config] if isinstance(config, str) else config).eval()


def load_model(
    name_or_path: str | Path,
    *,
    progress: ProgressCallback | None = None,
    meant: str = "",
) -> Sam2:
    """Load a named model or a checkpoint file, ready for inference.

    Parameters
    ----------
    name_or_path
        See `weights_path`.
    progress
        Told of a download's progress, in bytes.
    meant
        Name in `CONFIGS` of the variant, where weights of several look alike.

    Returns
    -------
    Sam2
        In evaluation mode, weights in float32; its ``config`` says which variant.

    Raises
    ------
    ModelError
        If there is no such model or file, the file is broken or does not fit, or a
        weight is no number or absurd.
    """
    path = weights_path(name_or_path, progress=progress)
    state, notes = _read_file(path)
    official = has_official_keys(state)
    ours = {
        rename_key(key) if official else key: _as_float(path, key, value)
        for key, value in state.items()
        if not key.endswith(COUNTERS)
    }
    config = _fitting_config(path, ours, notes, official=official)
    if not notes.get(CONFIG_NOTE):
        config = _meant(path, config, meant)
    _check_numbers(path, ours)
    model = _without_weights(config)
    model.load_state_dict(ours, strict=True, assign=True)
    return model.eval()


def in_free_order(model: Sam2) -> Sam2:
    """Return a network of the same weights that need not sum as official SAM 2 does.

    It shares them; `Sam2Config.free_order` says what it may do.

    Raises
    ------
    ModelError
        If it is a network of others, whose parts have one order alone.
    """
    if model.config.free_order:
        return model
    if not model.config.can_be_trained:
        raise ModelError(
            f"{model.config.name} cannot be computed in another order: choose "
            "precision fp32"
        )
    free = _without_weights(replace(model.config, free_order=True))
    free.requires_grad_(False)  # it is for no training, and weights may allow none
    free.load_state_dict(model.state_dict(), strict=True, assign=True)
    return free.eval()


def save_model(
    model: Sam2,
    path: Path,
    *,
    dtype: torch.dtype = torch.float32,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Write a network's weights as safetensors, for `load_model`.

    Parameters
    ----------
    model
        The network; its variant, its input and whether its masks are one component are
        stored with it.
    path
        Ends in ``.safetensors``; replaced in one step if it exists.
    dtype
        Number format in the file; it is float32 again when loaded.
    notes
        Further metadata, such as how it was trained.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    state = {
        key: value.detach().to("cpu", dtype).contiguous()
        for key, value in model.state_dict().items()
    }
    metadata = {
        **(notes or {}),
        CONFIG_NOTE: model.config.name,
        IMAGE_SIZE_NOTE: str(model.config.image_size),
    }
    if model.config.one_component:
        metadata[ONE_COMPONENT_NOTE] = YES
    if model.config.frame_fit == PADDED:
        metadata[FRAME_FIT_NOTE] = PADDED
    _replace_file(path, state, metadata)


def save_notes(path: Path, notes: Mapping[str, str]) -> None:
    """Add to the metadata of a safetensors file; its weights stay bit for bit.

    Raises
    ------
    ModelError
        If the file is no safetensors file or broken.
    OutputError
        If it cannot be written.
    """
    if path.suffix != SAFETENSORS_SUFFIX:
        raise ModelError(f"{path}: only .safetensors files carry notes")
    tensors, own = _read_file(path)
    _replace_file(path, tensors, {**own, **notes})


def _replace_file(
    path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]
) -> None:
    """Write a safetensors file in one step."""
    unfinished = path.with_name(path.name + ".part")
    try:
        save_file(tensors, unfinished, metadata)
        _sort_notes(unfinished)
        unfinished.replace(path)
    except (OSError, SafetensorError) as error:
        raise OutputError(f"cannot write {path}: {error}") from error


def _sort_notes(path: Path) -> None:
    """Put the metadata in alphabetical order, so that equal models are equal files.

    The library writes it in an order that changes from call to call, and a run is only
    resumed with a file of the same hash.
    """
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False)
        file.seek(8)
        file.write(text.encode().ljust(length))


def _read_file(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a checkpoint's tensors, under the names it gives them, and its metadata."""
    try:
        if path.suffix == SAFETENSORS_SUFFIX:
            with safe_open(path, framework="pt") as file:
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
                return tensors, dict(file.metadata() or {})
        return _tensors(path, _read_pickle(path)), {}
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    except SafetensorError as error:
        raise ModelError(f"{path} is broken ({error}): get it again") from error


def _read_pickle(path: Path) -> object:
    try:
        with warnings.catch_warnings():
            # It warns of unusual pickles; here they load, or are refused below.
            warnings.simplefilter("ignore", UserWarning)
            content: object = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path} is broken, or holds Python objects besides tensors, which are not "
            "run for safety: get it again, or save its state dict alone"
        ) from error
    except _BROKEN_PICKLE as error:
        raise ModelError(f"{path} is broken or cut short: get it again") from error
    return content


def _tensors(path: Path, content: object) -> dict[str, Tensor]:
    """Take the state dict out of what a pickle holds, checking that it is one."""
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        content = content["model"]
    if not isinstance(content, dict) or not content:
        raise ModelError(f"{path} holds no state dict: give a checkpoint of SAM 2")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise ModelError(f"{path}: {key!r} is no tensor; save the state dict alone")
    return content


def _fitting_config(
    path: Path, state: dict[str, Tensor], notes: Mapping[str, str], *, official: bool
) -> Sam2Config:
    """Return the variant that has exactly these weights, or say what differs."""
    named = notes.get(CONFIG_NOTE, "")
    likely = named
    if named not in CONFIGS or _differences(state, named):  # to build all takes seconds
        likely = min(CONFIGS, key=lambda name: len(_differences(state, name)))
    config = CONFIGS[named if named in CONFIGS else likely]
    differences = _differences(state, config.name)
    if not differences:
        side = noted_image_size(notes)
        return replace(
            config,
            image_size=config.image_size if side is None else side,
            one_component=notes.get(ONE_COMPONENT_NOTE) == YES,
            frame_fit="pad" if notes.get(FRAME_FIT_NOTE) == PADDED else "squash",
        )
    if not state.keys() & _shapes(likely).keys():
        raise ModelError(
            f"{path} holds no SAM 2 that is known here (its first weight is "
            f"{next(iter(state))!r}): give an official .pt file, or one of napari-sam2"
        )
    key, what = differences[0]
    raise ModelError(
        f"{path} does not fit {config.name}: "
        f"{rename_key(key, to_official=True) if official else key} {what} ("
        f"{len(differences)} differences in all); it is most likely a {likely}"
    )


def _meant(path: Path, config: Sam2Config, meant: str) -> Sam2Config:
    """Return which of the variants with the same weights a file is said to hold."""
    alike = [name for name in CONFIGS if _shapes(name) == _shapes(config.name)]
    if meant in alike:
        return replace(config, name=meant, pooling=CONFIGS[meant].pooling)
    if len(alike) == 1:
        return config
    raise ModelError(
        f"{path} may be {' or '.join(alike)}, whose weights look alike: add it with "
        "napari-sam2 models add, and say with --like which it is"
    )


def _as_float(path: Path, key: str, value: Tensor) -> Tensor:
    """Return a weight in float32; what is quantised would be cut off."""
    if not value.is_floating_point():
        kind = str(value.dtype).removeprefix("torch.")
        raise ModelError(
            f"{path}: the weight {key} is {kind}, not of floating-point numbers: give "
            "the file as it was trained, which is not quantised"
        )
    return value.float()


def _check_numbers(path: Path, state: Mapping[str, Tensor]) -> None:
    """Refuse weights that would answer nonsense, or nothing, without a word."""
    for key, value in state.items():
        largest = float(value.abs().amax())
        if not largest <= LARGEST_WEIGHT:  # nor is NaN
            raise ModelError(
                f"{path}: the weight {key} reaches {largest:g}, which no training "
                "leads to: the file is damaged, get it again"
            )
    if not any(value.any() for value in state.values()):
        raise ModelError(
            f"{path}: all weights are 0: the file is damaged, get it again"
        )


@cache
def _shapes(name: str) -> Mapping[str, torch.Size]:
    state = _without_weights(CONFIGS[name]).state_dict()
    return {key: value.shape for key, value in state.items()}


def _without_weights(config: Sam2Config) -> Sam2:
    """Build a network whose weights have shapes alone."""
    with torch.device("meta"), _NothingDrawn():
        return Sam2(config)


class _NothingDrawn(TorchFunctionMode):
    """Leaves weights as they are that a module would begin with.

    On the meta device there is nothing to draw, and torch would import its compiler for
    it, which takes as long as torch itself.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch, unless it draws numbers into a tensor."""
        if func.__name__ in DRAWING:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def _differences(state: Mapping[str, Tensor], name: str) -> list[tuple[str, str]]:
    """List the weights in which a file and a variant differ, and how."""
    expected = _shapes(name)
    found = []
    for key, shape in expected.items():
        if key not in state:
            found.append((key, "is missing"))
        elif state[key].shape != shape:
            found.append(
                (key, f"has shape {tuple(state[key].shape)}, expected {tuple(shape)}")
            )
    return found + [(key, "is not expected") for key in state if key not in expected]

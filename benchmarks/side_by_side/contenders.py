"""The trackers, asked alike: prompt objects, fill the memory, step.

Each lives in a process of its own (`worker`), with the same random weights, objects
forced to be present. Where memories are filled, every frame repeats what was remembered
of the first: the work of a frame does not depend on what the memories hold.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from benchmarks.side_by_side.cases import FILLED, Case

PRESENT = 10.0
LETTER = {"tiny": "t", "small": "s", "base_plus": "b+", "large": "l"}


def force_presence(last: nn.Module) -> None:
    """Let a presence head say that every object is there."""
    nn.init.zeros_(last.weight)
    nn.init.constant_(last.bias, PRESENT)


class Ours:
    """napari-sam2, of whichever source tree is on the path."""

    def __init__(self, case: Case, precision: str = "") -> None:
        predictor = import_module("napari_sam2.tracking.predictor")
        self.prompts = import_module("napari_sam2.prompts")
        self.case, self.ids = case, tuple(range(1, case.objects + 1))
        self.parts: dict[str, float] = {}
        self.predictor = predictor.StreamingPredictor(
            random_model(case.model),
            frame_shape=(case.size, case.size),
            frame_count=1000,
            device=case.device,
            precision=precision or case.precision,
            image_size=case.size,
            fill_holes=8 if case.model == "nano" else 0,  # `sam2` fills none on CPUs
        )
        self.model = self.predictor.network.model
        self._watch()
        of_host = import_module("napari_sam2.tracking.postprocess").label_image
        # Ours at another commit may know only that of the host.
        self.labels = getattr(self.predictor, "label_image", of_host)

    def _watch(self) -> None:
        for verb in ("embed", "condition", "decode", "remember"):
            object.__setattr__(
                self.model, verb, self._timed(verb, getattr(self.model, verb))
            )

    def _timed(self, name: str, call: Callable[..., object]) -> Callable[..., object]:
        def timed(*values: object, **options: object) -> object:
            start = time.process_time()
            answer = call(*values, **options)
            passed = time.process_time() - start
            self.parts[name] = self.parts.get(name, 0.0) + passed
            return answer

        return timed

    def _prompt(self, object_id: int, frame: int) -> object:
        point = self.prompts.PointPrompt(*self.case.click(object_id))
        return self.prompts.FramePrompt(object_id, frame, points=(point,))

    def prompt(self) -> None:
        """Click on each object on the first frame."""
        prompts = [self._prompt(object_id, 0) for object_id in self.ids]
        self.predictor.step(0, self.case.frame(0), prompts)

    @torch.inference_mode()
    def fill(self) -> None:
        """Remember as many frames as take part."""
        bank = self.predictor.bank
        last_tracked = import_module(type(bank).__module__).LastTracked
        anchors = [bank.anchor(object_id, 0) for object_id in self.ids]
        stored = [anchor.stored for anchor in anchors]
        for frame in range(1, FILLED):
            bank.add_tracked(
                self.ids,
                last_tracked(frame, False),
                memory=torch.stack([anchor.memory for anchor in anchors]),
                pointers=torch.from_numpy(np.stack([each.pointer for each in stored])),
                logits=np.stack([each.logits for each in stored]),
            )

    def step(self, frame: int) -> None:
        """Track all objects on a frame."""
        self.parts.clear()
        if hasattr(self.predictor, "expect"):  # ours at another commit may not know it
            self.predictor.expect(frame + 1, self.case.frame(frame + 1))
        result = self.predictor.step(frame, self.case.frame(frame))
        shape = (self.case.size, self.case.size)
        start = time.process_time()
        self.labels(result.object_ids, result.logits, shape)
        self.parts["labels"] = time.process_time() - start

    def click(self, frame: int) -> None:
        """Answer a click on a frame that is embedded already."""
        self.parts.clear()
        prompt = self._prompt(self.case.objects + 1, frame)
        self.predictor.preview(frame, self.case.frame(frame), [prompt])

    def held_bytes(self) -> int:
        """Return what is remembered of the objects."""
        return int(self.predictor.bank.nbytes)


def storages_in(kept: object) -> dict[int, int]:
    """Return the bytes of all tensors in dicts and lists, by where they lie."""
    if isinstance(kept, torch.Tensor):
        storage = kept.untyped_storage()
        return {storage.data_ptr(): storage.nbytes()}
    parts = kept.values() if isinstance(kept, dict) else ()
    if isinstance(kept, (list, tuple)):
        parts = kept
    found: dict[int, int] = {}
    for part in parts:
        found |= storages_in(part)
    return found


def random_model(name: str) -> nn.Module:
    """Build our network with random weights, the same in every process."""
    config = import_module("napari_sam2.model.config").CONFIGS[name]
    torch.manual_seed(0)
    model: nn.Module = import_module("napari_sam2.model.sam2").Sam2(config).eval()
    force_presence(model.mask_decoder.pred_obj_score_head.layers[-1])
    return model


class Official:
    """`SAM2VideoPredictor` of the package ``sam2``."""

    def __init__(self, case: Case, *, compiled: bool = False) -> None:
        build = import_module("sam2.build_sam").build_sam2_video_predictor
        keys = import_module("napari_sam2.model.checkpoints.official_keys")
        version, size = case.model.split("_", 1)
        self.case = case
        self.predictor = build(
            f"configs/{version}/{version}_hiera_{LETTER[size]}.yaml",
            device=case.device,
            vos_optimized=compiled,
            hydra_overrides_extra=[f"++model.image_size={case.size}"],
        )
        self.predictor.fill_hole_area = 0
        state = {
            keys.rename_key(key, to_official=True): value
            for key, value in random_model(case.model).state_dict().items()
        }
        self.predictor.load_state_dict(state)
        with tempfile.TemporaryDirectory() as folder:
            for frame in range(case.frames):
                path = Path(folder) / f"{frame:05d}.jpg"
                Image.fromarray(case.frame(frame)).save(path, format="PNG")
            self.state = self.predictor.init_state(folder)

    def _context(self) -> AbstractContextManager[object]:
        if self.case.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.case.device, torch.bfloat16)

    def prompt(self) -> None:
        """Click on each object on the first frame."""
        with self._context():
            for object_id in range(1, self.case.objects + 1):
                y, x = self.case.click(object_id)
                self.predictor.add_new_points_or_box(
                    self.state, 0, object_id, points=[[x, y]], labels=[1]
                )
            self.predictor.propagate_in_video_preflight(self.state)

    def fill(self) -> None:
        """Remember as many frames as take part."""
        for outputs in self.state["output_dict_per_obj"].values():
            first = outputs["cond_frame_outputs"][0]
            for frame in range(1, FILLED):
                outputs["non_cond_frame_outputs"][frame] = dict(first)

    def step(self, frame: int) -> None:
        """Track all objects on a frame."""
        with self._context():
            for _ in self.predictor.propagate_in_video(self.state, frame, 0):
                pass

    def held_bytes(self) -> int:
        """Return what is remembered of the objects."""
        return sum(storages_in(self.state["output_dict_per_obj"]).values())


class Transformers:
    """`Sam2VideoModel` of ``transformers``; random weights of its own."""

    def __init__(self, case: Case) -> None:
        library = import_module("transformers")
        if case.model != "sam2.1_tiny":
            raise ImportError(f"no configuration for {case.model} without a download")
        self.case = case
        config = library.Sam2VideoConfig(**sizes(case.size))  # else those of tiny
        torch.manual_seed(0)
        self.model = library.Sam2VideoModel(config).eval().to(case.device)
        force_presence(self.model.mask_decoder.pred_obj_score_head.proj_out)
        module = import_module("transformers.models.sam2_video.modeling_sam2_video")
        self.dtype = torch.bfloat16 if case.precision == "bf16" else torch.float32
        self.model = self.model.to(self.dtype)
        frames = [case.frame(frame) for frame in range(case.frames)]
        video = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)
        self.session = module.Sam2VideoInferenceSession(
            video=(video.float() / 127.5 - 1).to(self.dtype),
            video_height=case.size,
            video_width=case.size,
            inference_device=case.device,
            dtype=self.dtype,
        )

    @torch.inference_mode()
    def prompt(self) -> None:
        """Click on each object on the first frame."""
        for object_id in range(1, self.case.objects + 1):
            y, x = self.case.click(object_id)
            row = self.session.obj_id_to_idx(object_id)
            points = torch.tensor([[[[x, y]]]], dtype=self.dtype)
            labels = torch.ones(1, 1, 1, dtype=torch.int32)
            inputs = {"point_coords": points, "point_labels": labels}
            moved = {key: value.to(self.case.device) for key, value in inputs.items()}
            self.session.add_point_inputs(row, 0, moved)
            self.session.obj_with_new_inputs.append(object_id)
        self.model(self.session, frame_idx=0)

    def fill(self) -> None:
        """Remember as many frames as take part."""
        for outputs in self.session.output_dict_per_obj.values():
            first = outputs["cond_frame_outputs"][0]
            for frame in range(1, FILLED):
                outputs["non_cond_frame_outputs"][frame] = dict(first)

    @torch.inference_mode()
    def step(self, frame: int) -> None:
        """Track all objects on a frame."""
        self.model(self.session, frame_idx=frame)

    def held_bytes(self) -> int:
        """Return what is remembered of the objects."""
        return sum(storages_in(self.session.output_dict_per_obj).values())


def sizes(side: int) -> dict[str, object]:
    """Return all that follows from the input's side in a configuration there."""
    grid = side // 16
    return {
        "image_size": side,
        "memory_attention_rope_feat_sizes": [grid, grid],
        "prompt_encoder_config": {"image_size": side},
        "vision_config": {
            "model_type": "sam2_vision_model",
            "backbone_feature_sizes": [[k * grid, k * grid] for k in (4, 2, 1)],
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "image_size": [side, side],
            },
        },
    }


class OfficialCompiled(Official):
    """The same, all components compiled."""

    def __init__(self, case: Case) -> None:
        if case.device == "cpu":
            raise ImportError("its compiled components are written for CUDA")
        super().__init__(case, compiled=True)


CONTENDERS = {
    "ours": Ours,
    "ours, fp32-fast": partial(Ours, precision="fp32-fast"),
    "base": Ours,
    "sam2": Official,
    "sam2 compiled": OfficialCompiled,
    "transformers": Transformers,
}

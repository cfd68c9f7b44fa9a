"""Two processes get the mean gradient; one process is left alone.

Several GPUs are not tried here: only what is asked of torch for them.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
import torch
from torch import distributed

from napari_sam2.errors import InputError
from napari_sam2.model.config import CONFIGS
from napari_sam2.model.sam2 import Sam2
from napari_sam2.train.passes.dense import DenseHead
from napari_sam2.train.trainer.parallel import (
    PATIENCE,
    TrainingPass,
    own_device,
    rank,
    shared,
    workers,
)

WORKER = """
import torch
from napari_sam2.train.trainer import parallel
class Half(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.ModuleList([torch.nn.Linear(1, 1) for _ in range(3)])
    def forward(self, number):
        return self.layers[number].weight.sum() * (number + 1)
with parallel.workers("cpu") as number:
    torch.manual_seed(number)  # equal weights come from the first process
    model = Half()
    both = parallel.shared(model)
    both(number).backward()  # each process uses another layer
    grads = [layer.weight.grad for layer in model.layers]
    print([None if g is None else float(g) for g in grads],
          [round(float(layer.weight), 6) for layer in model.layers])
"""


def test_alone_nothing_changes():
    training_pass = TrainingPass(Sam2(CONFIGS["toy"]), DenseHead(CONFIGS["toy"]))
    with workers("cpu") as number:
        assert shared(training_pass) is training_pass
    assert (number, rank()) == (0, 0)
    assert own_device("cpu") == torch.device("cpu")


@pytest.mark.skipif(sys.platform != "linux", reason="names the loopback of Linux")
def test_two_processes_share_the_mean_gradient():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", WORKER],
            env={**os.environ, **common, "RANK": str(number)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    said = [process.communicate(timeout=120)[0].strip() for process in processes]
    assert said[0] == said[1]
    assert said[0].startswith("[0.5, 1.0, ")


@pytest.fixture
def asked(monkeypatch):
    """What is asked of torch by the second process on a machine of two GPUs."""
    found: list[tuple] = []
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(
        torch.cuda, "set_device", lambda one: found.append(("gpu", one))
    )
    monkeypatch.setattr(
        distributed,
        "init_process_group",
        lambda backend, timeout: found.append((backend, timeout)),
    )
    monkeypatch.setattr(distributed, "get_rank", lambda: 3)
    monkeypatch.setattr(distributed, "destroy_process_group", lambda: None)
    return found


def test_each_process_gets_its_gpu_before_they_meet(asked):
    with workers("cuda") as number:
        assert number == 3
    assert asked == [("gpu", 1), ("nccl", PATIENCE)]


def test_a_recipe_for_the_cpu_leaves_the_gpus_alone(asked):
    with workers("cpu"):
        pass
    assert asked == [("gloo", PATIENCE)]


@pytest.mark.parametrize(
    ("device", "local_rank", "message"),
    [("cuda", "2", "2 found"), ("cuda:1", "1", "each its own")],
)
def test_a_process_without_a_gpu_is_refused(
    asked, monkeypatch, device, local_rank, message
):
    monkeypatch.setenv("LOCAL_RANK", local_rank)
    with pytest.raises(InputError, match=message), workers(device):
        pass
    assert asked == []

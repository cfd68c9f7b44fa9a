"""Two processes get the mean gradient; one process is left alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
import torch

from napari_sam2.train.parallel import average_gradients, rank, workers

WORKER = """
import torch
from napari_sam2.train.parallel import average_gradients, workers
with workers() as number:
    model = torch.nn.ModuleList([torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)])
    used = model[number]  # each process uses another layer
    (used.weight.sum() * (number + 1)).backward()
    average_gradients(model)
    print([float(layer.weight.grad) for layer in model])
"""


def test_alone_nothing_changes():
    layer = torch.nn.Linear(2, 1)
    layer(torch.ones(1, 2)).sum().backward()
    before = layer.weight.grad.clone()
    with workers() as number:
        average_gradients(layer)
    assert (number, rank()) == (0, 0)
    assert torch.equal(layer.weight.grad, before)


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
    assert said == ["[0.5, 1.0]", "[0.5, 1.0]"]

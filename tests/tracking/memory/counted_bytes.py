"""Bytes of all tensors that are alive, counted as they are made."""

import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class CountedBytes(TorchDispatchMode):
    """Counts the storages that operations make, and the most that lived together."""

    def __init__(self):
        super().__init__()
        self.now = self.peak = 0
        self._known = weakref.WeakKeyDictionary()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        torch.utils._pytree.tree_map_only(torch.Tensor, self._count, made)
        return made

    def _count(self, tensor):
        storage = tensor.untyped_storage()
        if storage not in self._known:
            size = storage.nbytes()
            self._known[storage] = size
            self.now += size
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._let_go, size)

    def _let_go(self, size):
        self.now -= size

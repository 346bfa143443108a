"""Saves while training goes on.

A save begins between two steps. One thread copies the tensors into buffers that stay from one save to
the next, beside the next forward and backward pass, which change no weights: the update that would
waits for it. Another thread, of the lowest priority, hashes the copies, writes and syncs them. Where
a core is free that costs nothing; where training keeps all cores busy, a thread of equal priority
would take one from it, and make the others, which spin while they wait for it, slower still.

What is saved, and when, is left to the loop; how a file looks, to `training.checkpoints.checkpoint`.
"""

import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

import numpy as np
import torch

from training.checkpoints.state import Tensors
from training.checkpoints.tensorfile import raw_bytes

LOWEST_PRIORITY = 19

Write = Callable[[Tensors], None]


class Saver:
    """Copies and writes beside training; an error in either ends it, at the next update or save."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._copier = ThreadPoolExecutor(1, "copier")
        self._writer = ThreadPoolExecutor(1, "writer", initializer=_step_back)
        self._copy: Future[Tensors] | None = None
        self._written: Future[None] | None = None
        self._buffers = Buffers()
        optimizer.register_step_pre_hook(self._before_update)

    def __enter__(self) -> "Saver":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._copier.shutdown()
        self._writer.shutdown()

    @property
    def is_busy(self) -> bool:
        """Whether the last save is still being written."""
        return self._written is not None and not self._written.done()

    def begin(self, live: Mapping[str, torch.Tensor], write: Write) -> None:
        """Begin to copy tensors, and hand the copies to `write`, which returns when they are durable.

        Args:
            live: tensors that only an update of the optimiser changes.
            write: is called in the writer's thread; the copies are its own until it returns.

        Raises:
            Exception: what the save before raised.
        """
        self.finish()
        copy = self._buffers.copier_of(live)
        self._copy = self._copier.submit(copy)
        self._written = self._writer.submit(_written, self._copy, write)

    def finish(self) -> None:
        """Wait until the last save is durable.

        Raises:
            Exception: what it raised.
        """
        if self._written is not None:
            self._written.result()
            self._copy = self._written = None

    def _before_update(self, *_: Any) -> None:
        if self._copy is not None:
            self._copy.result()
        if self._written is not None and self._written.done():
            self.finish()


class Buffers:
    """Memory for copies, by name; pinned where tensors come from a GPU."""

    def __init__(self) -> None:
        self._kept: Tensors = {}
        self._stream: torch.cuda.Stream | None = None

    def copier_of(self, live: Mapping[str, torch.Tensor]) -> Callable[[], Tensors]:
        """Return what copies tensors as they are now, in whichever thread it is called."""
        on_gpu = [tensor for tensor in live.values() if tensor.is_cuda]
        if not on_gpu:
            return lambda: {name: self._copied(name, tensor) for name, tensor in live.items()}
        device = on_gpu[0].device
        self._stream = self._stream or torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        updated = torch.cuda.current_stream(device).record_event()
        return lambda: self._copied_on_a_stream(live, self._stream, updated)

    def _copied_on_a_stream(
        self,
        live: Mapping[str, torch.Tensor],
        stream: torch.cuda.Stream | None,
        updated: torch.cuda.Event,
    ) -> Tensors:
        assert stream is not None
        with torch.cuda.stream(stream):
            stream.wait_event(updated)
            copies = {name: self._copied(name, tensor) for name, tensor in live.items()}
            stream.synchronize()
        return copies

    def _copied(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        buffer = self._kept.get(name)
        if buffer is None:
            buffer = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)
            self._kept[name] = buffer
        if tensor.is_cuda:
            buffer.copy_(tensor, non_blocking=True)
        else:
            # Not torch's copy: it would start threads of its own beside those that compute.
            np.copyto(np.asarray(raw_bytes(buffer)), np.asarray(raw_bytes(tensor)))
        return buffer


def _written(copy: Future[Tensors], write: Write) -> None:
    write(copy.result())


def _step_back() -> None:
    """Let this thread, and no other one of the process, have a core only where nobody else wants it."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)

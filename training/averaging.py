"""Gradients averaged over the ranks while the backward pass goes on.

Parameters are put into buckets in the reverse of their order, which is about the order in which their
gradients are made. A bucket goes out as one flat tensor as soon as all of its gradients, and all
buckets before it, are there. So what is added to what is a function of the model alone. torch's own DDP
orders its buckets by when gradients became ready in the first step of a process, so from three ranks on
a resumed run would add in another order than the undisturbed one and end in other bits.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
import torch.distributed

from training.distributed import World
from training.sharding import is_sharded

BUCKET_BYTES = 32 * 2**20
"""Large enough for the network's full rate, small enough that the last one is soon through."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """A bucket on its way: its gradients, all of them in one tensor, and the sum that is awaited."""

    gradients: list[torch.Tensor]
    flat: torch.Tensor
    work: torch.distributed.Work


class GradientAverager:
    """Replaces each gradient by its mean over all ranks; of sharded weights it is that already.

    Args:
        parameters: of a model, whose backward pass it takes part in from now on.
        world: the ranks. All of them have to have the same parameters, and gradients of the same ones.
    """

    def __init__(self, parameters: Iterable[torch.nn.Parameter], world: World) -> None:
        own = [p for p in parameters if p.requires_grad and not is_sharded(p)]
        self._world = world
        self._buckets = list(_buckets(own[::-1])) if world.size > 1 else []
        self._ready = [0] * len(self._buckets)
        self._next = 0
        self._sent: list[_Sent] = []
        for number, bucket in enumerate(self._buckets):
            for parameter in bucket:
                parameter.register_post_accumulate_grad_hook(  # type: ignore[no-untyped-call]
                    partial(self._note, number)
                )

    def finish(self) -> None:
        """Wait until all gradients of a backward pass that is over are averaged."""
        while self._next < len(self._buckets):
            self._send()
        for sent in self._sent:
            sent.work.wait()
            sent.flat.div_(self._world.size)
            parts = torch.split(sent.flat, [gradient.numel() for gradient in sent.gradients])
            for gradient, part in zip(sent.gradients, parts, strict=True):
                gradient.copy_(part.view_as(gradient))
        self._sent.clear()
        self._ready = [0] * len(self._buckets)
        self._next = 0

    def _note(self, bucket: int, parameter: torch.nn.Parameter) -> None:
        """Take note of a gradient that is there, and send what is complete."""
        if bucket < self._next:
            shape = tuple(parameter.shape)
            raise RuntimeError(f"a gradient of shape {shape} was added to after it was averaged")
        self._ready[bucket] += 1
        while self._next < len(self._buckets) and self._is_complete(self._next):
            self._send()

    def _is_complete(self, bucket: int) -> bool:
        return self._ready[bucket] == len(self._buckets[bucket])

    def _send(self) -> None:
        """Send the next bucket, without what took no part in the backward pass."""
        gradients = [p.grad for p in self._buckets[self._next] if p.grad is not None]
        self._next += 1
        if not gradients:
            return
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        work = torch.distributed.all_reduce(flat, async_op=True)
        assert work is not None
        self._sent.append(_Sent(gradients, flat, work))


def _buckets(parameters: Iterable[torch.nn.Parameter]) -> Iterator[list[torch.nn.Parameter]]:
    """Yield parameters in groups of about `BUCKET_BYTES`, in their order."""
    sizes, places = itertools.tee(parameters)
    ends = itertools.accumulate(parameter.nbytes for parameter in sizes)
    placed = zip(ends, places, strict=True)
    for _, group in itertools.groupby(placed, lambda pair: pair[0] // BUCKET_BYTES):
        yield [parameter for _, parameter in group]

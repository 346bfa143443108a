"""The bytes of a safetensors file, made without a copy of its tensors.

The library's own writer makes one, and holds the interpreter's lock the while. Format:
https://huggingface.co/docs/safetensors: eight bytes with the length of a JSON header, the header,
and the tensors' bytes in the order of their offsets.
"""

import itertools
import json
from collections.abc import Iterator, Mapping

import torch

ALIGNMENT = 8

DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def file_parts(
    tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]
) -> Iterator[memoryview]:
    """Yield the content of a file: its head, and each tensor's bytes where they lie."""
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    yield memoryview(_head({name: tensors[name] for name in names}, metadata))
    for name in names:
        yield raw_bytes(tensors[name])


def raw_bytes(tensor: torch.Tensor) -> memoryview:
    """Return the bytes of a tensor on the CPU, without a copy where it is contiguous."""
    flat = tensor.detach().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data


def _head(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> bytes:
    sizes = [tensor.numel() * tensor.element_size() for tensor in tensors.values()]
    ends = list(itertools.accumulate(sizes, initial=0))
    described = {
        name: {
            "dtype": DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
        for (name, tensor), (start, end) in zip(tensors.items(), itertools.pairwise(ends), strict=True)
    }
    text = json.dumps({"__metadata__": dict(metadata), **described}).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text

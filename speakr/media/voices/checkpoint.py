"""Reading a PyTorch checkpoint of the old kind without PyTorch: a row of pickles, then the raw numbers.

Pickles can run anything, so the file's hash has been checked before, and the unpickler knows nothing but the few
names a checkpoint of tensors consists of.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {"FloatStorage": np.dtype("<f4"), "DoubleStorage": np.dtype("<f8"), "LongStorage": np.dtype("<i8")}

Tensors = Mapping[str, npt.NDArray[np.float32]]


class _Tensor(NamedTuple):
    """A view of a storage; sizes and strides in numbers, not bytes."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _tensor(
    storage: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


def _parameter(tensor: _Tensor, *_: object) -> _Tensor:
    return tensor


_KNOWN: Mapping[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    **{("torch", name): dtype for name, dtype in _DTYPES.items()},
}


class _TensorUnpickler(pickle.Unpickler):
    """Reads tensors and nothing else."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.dtypes: dict[str, np.dtype[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Refuse every name that is not part of a tensor."""
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a checkpoint") from None

    def persistent_load(self, reference: Any) -> str:
        """Note the kind of numbers a storage holds; the numbers come after the pickles."""
        _, dtype, key, *_ = reference
        self.dtypes[key] = dtype
        return str(key)


def read_checkpoint(raw: bytes) -> Tensors:
    """Return the tensors under `model_state` of a checkpoint in PyTorch's legacy format, as float32.

    Raises:
        pickle.UnpicklingError: it is something else, or names what a checkpoint does not need.
    """
    file = io.BytesIO(raw)
    if _TensorUnpickler(file).load() != _LEGACY_MAGIC:
        raise pickle.UnpicklingError("This is no checkpoint in the legacy format.")
    for _protocol_and_system in range(2):
        _TensorUnpickler(file).load()
    unpickler = _TensorUnpickler(file)
    state = unpickler.load()["model_state"]
    storages: dict[str, npt.NDArray[Any]] = {}
    for key in _TensorUnpickler(file).load():
        (count,) = struct.unpack("<q", file.read(8))
        dtype = unpickler.dtypes[key]
        storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    return {
        name: _view(storages[tensor.storage], tensor)
        for name, tensor in state.items()
        if isinstance(tensor, _Tensor)
    }


def _view(numbers: npt.NDArray[Any], tensor: _Tensor) -> npt.NDArray[np.float32]:
    strides = [stride * numbers.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, strides, writeable=False)
    return view.astype(np.float32)

"""Values of the library and of Python: a tensor is a NumPy array, a sequence a list, a map a dict, an optional what it holds, or None."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ._library import ffi, lib, text
from .errors import BadArgument, made

KINDS = {lib.KILN_TENSOR: "tensor", lib.KILN_SEQUENCE: "seq", lib.KILN_OPTIONAL: "optional", lib.KILN_SPARSE: "sparse_tensor", lib.KILN_MAP: "map"}
FROM_ML_DTYPES = {
    "BFLOAT16": "bfloat16",
    "FLOAT8E4M3FN": "float8_e4m3fn",
    "FLOAT8E4M3FNUZ": "float8_e4m3fnuz",
    "FLOAT8E5M2": "float8_e5m2",
    "FLOAT8E5M2FNUZ": "float8_e5m2fnuz",
    "FLOAT8E8M0": "float8_e8m0fnu",
    "FLOAT6E2M3": "float6_e2m3fn",
    "FLOAT6E3M2": "float6_e3m2fn",
    "FLOAT4E2M1": "float4_e2m1fn",
    "INT4": "int4",
    "UINT4": "uint4",
    "INT2": "int2",
    "UINT2": "uint2",
}


def numpy_types() -> dict[int, np.dtype]:
    """{kiln_dtype: type of NumPy}. What NumPy lacks comes from ml_dtypes, where that is installed."""
    names = "uint8 int8 uint16 int16 int32 int64 bool float16 double uint32 uint64 complex64 complex128"
    types = {getattr(lib, f"KILN_{name.upper()}"): np.dtype(name) for name in names.split()}
    types[lib.KILN_FLOAT] = np.dtype(np.float32)
    try:
        import ml_dtypes
    except ImportError:
        return types
    for ours, theirs in FROM_ML_DTYPES.items():
        if hasattr(ml_dtypes, theirs):
            types[getattr(lib, f"KILN_{ours}")] = np.dtype(getattr(ml_dtypes, theirs))
    return types


TO_NUMPY = numpy_types()
# What the library has in memory in place of ml_dtypes' own, which does not say what the upper bits of the byte are.
IN_MEMORY = {lib.KILN_INT4: np.dtype(np.int8), lib.KILN_INT2: np.dtype(np.int8)}
FROM_NUMPY = {dtype: number for number, dtype in TO_NUMPY.items()}
memory_of: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # of tensors that were made around an array


def owned(function: Callable[..., int], *arguments: Any) -> Any:
    """A tensor that a function of the library makes: freed when nothing names it any more."""
    return made(function, "kiln_tensor **", lib.kiln_tensor_free, *arguments)


def as_array(x: Any) -> np.ndarray:
    """An array around the memory of whatever has some: by DLPack (a tensor of PyTorch, also one that learns), the buffer protocol, or what NumPy knows."""
    if isinstance(x, np.ndarray):
        return x
    if hasattr(x, "__dlpack__") and hasattr(x, "__dlpack_device__"):
        if getattr(x, "requires_grad", False):
            x = x.detach()
        if x.__dlpack_device__()[0] != 1:
            raise BadArgument(f"a {type(x).__name__} is on another device than the CPU")
        return np.from_dlpack(x)
    return np.asarray(x)


def from_strings(array: np.ndarray) -> Any:
    words = [ffi.new("char[]", x if isinstance(x, bytes) else str(x).encode(errors="surrogateescape")) for x in array.reshape(-1)]
    return owned(lib.kiln_tensor_new, lib.KILN_STRING, array.ndim, list(array.shape), ffi.new("char *[]", words) if words else ffi.NULL)


def memory_in(array: np.ndarray) -> Any:
    """That of an array in C's order; of types that NumPy itself has not as bytes."""
    if not array.size:
        return ffi.NULL
    return ffi.from_buffer(array if array.dtype.num < 24 else array.reshape(-1).view(np.uint8))


def is_plain(array: np.ndarray) -> bool:
    flags = array.flags
    return flags.c_contiguous and flags.aligned


def from_array(array: Any) -> Any:
    """A tensor around the memory of the array, where that is in C's order, else around that of a copy."""
    array = as_array(array)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    number = FROM_NUMPY.get(array.dtype)
    if number is None:
        if array.dtype.kind in "OSUT":
            return from_strings(array)
        raise BadArgument(f"ONNX has no type for arrays of {array.dtype}")
    if number in IN_MEMORY or not is_plain(array):
        array = np.require(array, IN_MEMORY.get(number), ["C_CONTIGUOUS", "ALIGNED"])
    memory = memory_in(array)
    tensor = owned(lib.kiln_tensor_wrap, number, array.ndim, array.shape, memory, array.nbytes)
    memory_of[tensor] = memory
    return tensor


def from_dict(value: dict, key: int, dtype: int) -> Any:
    """A map: its keys are ints or strings, its values what NumPy makes of them, as the type that is declared."""
    keys = from_strings(np.array(list(value), object)) if key == lib.KILN_STRING else from_array(np.array(list(value), np.int64))
    values = from_strings(np.array(list(value.values()), object)) if dtype == lib.KILN_STRING else from_array(np.array(list(value.values()), TO_NUMPY[dtype]))
    return owned(lib.kiln_tensor_new_map, keys, values)


def from_python(value: Any, kinds: Sequence[int], key: int, dtype: int) -> Any:
    """A value for an input. `kinds` has what it is, from the outside in, the last of it of type `dtype`; keys of a map in it are of type `key`."""
    kind, *within = kinds
    if kind == lib.KILN_MAP:
        return from_dict(value, key, dtype)
    if kind == lib.KILN_OPTIONAL:
        held = None if value is None else from_python(value, within, key, dtype)
        return owned(lib.kiln_tensor_new_optional, lib.kiln_tensor_dtype(held) if held else lib.KILN_UNDEFINED, held or ffi.NULL)
    if kind == lib.KILN_SEQUENCE:
        items = [from_python(item, within, key, dtype) for item in value]
        return owned(lib.kiln_tensor_new_sequence, lib.kiln_tensor_dtype(items[0]) if items else lib.KILN_UNDEFINED, len(items), items or ffi.NULL)
    return from_array(value)


def strings(tensor: Any, count: int) -> Iterator[str]:
    length = ffi.new("size_t *")
    for k in range(count):
        word = lib.kiln_tensor_string(tensor, k, length)
        yield ffi.unpack(word, length[0]).decode(errors="surrogateescape")


def shape_of(tensor: Any) -> list[int]:
    rank = lib.kiln_tensor_rank(tensor)
    return ffi.unpack(lib.kiln_tensor_dims(tensor), rank) if rank else []


def to_array(tensor: Any) -> np.ndarray:
    """A copy: the tensor may be a session's, which the next run changes."""
    dtype = lib.kiln_tensor_dtype(tensor)
    shape = shape_of(tensor)
    if dtype == lib.KILN_STRING:
        made = np.empty(shape, object)
        made.reshape(-1)[:] = list(strings(tensor, made.size))
        return made
    if dtype not in TO_NUMPY:
        raise BadArgument(f"NumPy has no type for {text(lib.kiln_dtype_name(dtype))}; ml_dtypes has some, where it is installed")
    made = np.empty(shape, IN_MEMORY.get(dtype, TO_NUMPY[dtype]))
    if made.size:
        ffi.memmove(memory_in(made), lib.kiln_tensor_data(tensor), made.nbytes)
    return made.astype(TO_NUMPY[dtype], copy=False) if dtype in IN_MEMORY else made


def to_python(tensor: Any) -> Any:
    kind = lib.kiln_tensor_kind(tensor)
    if kind == lib.KILN_TENSOR:
        return to_array(tensor)
    items = [to_python(lib.kiln_tensor_item(tensor, k)) for k in range(lib.kiln_tensor_item_count(tensor))]
    if kind == lib.KILN_OPTIONAL:
        return items[0] if items else None
    if kind == lib.KILN_MAP:
        keys, values = (item.tolist() for item in items)
        return dict(zip(keys, values))
    return items

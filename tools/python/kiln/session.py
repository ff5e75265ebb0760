"""Running a model, as onnxruntime's InferenceSession is used."""

import os
import warnings
from dataclasses import dataclass

from . import values
from ._library import ffi, lib, options, text
from .errors import BadArgument, call


@dataclass(frozen=True)
class Value:
    """What a model declares of an input or an output. A dimension is a number, its symbol, or None; a shape is None where the rank is not known."""

    name: str
    type: str
    shape: list | None
    optional: bool
    kinds: tuple  # numbers of kiln_kind, from the outside in
    key: int  # the kiln_dtype of a map's keys
    dtype: int  # and of the tensors in it
    place: int  # in the file's list


def value(info):
    kinds, keys = [info.kind], [info.key]
    while kinds[-1] in (lib.KILN_SEQUENCE, lib.KILN_OPTIONAL, lib.KILN_MAP):
        within = info.element[len(kinds) - 1]
        kinds.append(within.kind)
        keys.append(within.key)
    opened = [f"{values.KINDS[kind]}({text(lib.kiln_dtype_name(key))}," if kind == lib.KILN_MAP else f"{values.KINDS[kind]}(" for kind, key in zip(kinds, keys)]
    shape = None
    if info.rank >= 0:
        symbols = [text(info.dim_names[d]) if info.dim_names else None for d in range(info.rank)]
        shape = [symbols[d] if info.dims[d] < 0 else info.dims[d] for d in range(info.rank)]
    declared = "".join([*opened, text(lib.kiln_dtype_name(info.dtype))]) + ")" * len(opened)
    return Value(text(info.name), declared, shape, info.optional, tuple(kinds), max(keys), info.dtype, info.place)


@ffi.callback("kiln_diagnostic_fn")
def told(user, status, where, message):
    """Warnings of the library; its errors become exceptions where the call ends."""
    if status == lib.KILN_OK:
        warnings.warn(": ".join(t for t in (text(where), text(message)) if t), stacklevel=2)


class Session:
    """A model made ready to run. `model` is a path, the bytes of a file, or a ModelProto.

    Belongs to one thread at a time. threads: 0 for one for each CPU; results do not depend on it. memory: bytes, and seconds: of computing, that loading
    and running may take; 0 for no limit. seed: of random operators. exact: only ways that round as a plain sum does. follow_links: a directory that symbolic
    links of external data may lead to, too. Errors: those of kiln.errors."""

    def __init__(self, model, *, threads=0, memory=0, seconds=0.0, seed=0, exact=False, follow_links=None):
        shared = options("kiln_context_options", threads=threads, memory=memory, diagnostic=told)
        self._context = self._made(lib.kiln_context_new, "kiln_context **", lib.kiln_context_free, shared)
        cache = ffi.NULL if follow_links is None else ffi.new("char[]", os.fsencode(follow_links))
        load = options("kiln_load_options", context=self._context, seconds=seconds, follow_links=cache)
        if isinstance(model, (str, os.PathLike)):
            self._model = self._made(lib.kiln_model_open, "kiln_model **", lib.kiln_model_free, os.fsencode(model), load)
        else:
            data = model if isinstance(model, (bytes, bytearray, memoryview)) else model.SerializeToString()
            memory = ffi.from_buffer(data)
            self._model = self._made(lib.kiln_model_open_memory, "kiln_model **", lib.kiln_model_free, memory, len(memory), load)
        wanted = options("kiln_session_options", context=self._context, seed=seed, seconds=seconds, exact=exact)
        self._session = self._made(lib.kiln_session_new, "kiln_session **", lib.kiln_session_free, self._model, wanted)
        self._inputs = [value(lib.kiln_model_input(self._model, k)) for k in range(lib.kiln_model_input_count(self._model))]
        self._outputs = [value(lib.kiln_model_output(self._model, k)) for k in range(lib.kiln_model_output_count(self._model))]

    @staticmethod
    def _made(function, kind, free, *arguments):
        out = ffi.new(kind)
        call(function, out, *arguments)
        return ffi.gc(out[0], free)

    def get_inputs(self):
        """Those that must be given come first."""
        return list(self._inputs)

    def get_outputs(self):
        return list(self._outputs)

    def run(self, output_names, feeds):
        """The outputs of these names, of all where it is None, as a list. `feeds` is {name of an input: value}."""
        inputs = {v.name: v for v in self._inputs}
        for name in feeds:
            if name not in inputs:
                raise BadArgument(f"there is no input '{name}'; inputs are {', '.join(inputs) or 'none'}")
        known = {v.name: k for k, v in enumerate(self._outputs)}
        for name in output_names or ():
            if name not in known:
                raise BadArgument(f"there is no output '{name}'; outputs are {', '.join(known)}")
        names = [ffi.new("char[]", name.encode(errors="surrogateescape")) for name in feeds]
        tensors = [values.from_python(x, inputs[name].kinds, inputs[name].key, inputs[name].dtype) for name, x in feeds.items()]
        call(lib.kiln_session_run, self._session, len(names), ffi.new("char *[]", names), ffi.new("kiln_tensor *[]", tensors))
        wanted = range(len(self._outputs)) if output_names is None else [known[name] for name in output_names]
        return [values.to_python(lib.kiln_session_output(self._session, k)) for k in wanted]

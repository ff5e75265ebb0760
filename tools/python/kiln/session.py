"""Running a model, as onnxruntime's InferenceSession is used."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import values
from ._library import Keep, encode, ffi, lib, options, text
from .errors import BadArgument, call, made

PROVIDER = "CPUExecutionProvider"


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


def value(info: Any) -> Value:
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
    declared = "".join([*opened, text(lib.kiln_dtype_name(info.dtype)) or ""]) + ")" * len(opened)
    return Value(text(info.name) or "", declared, shape, info.optional, tuple(kinds), max(keys), info.dtype, info.place)


def inputs_of(model: Any) -> list[Value]:
    """Those that must be given come first."""
    return [value(lib.kiln_model_input(model, k)) for k in range(lib.kiln_model_input_count(model))]


def outputs_of(model: Any) -> list[Value]:
    return [value(lib.kiln_model_output(model, k)) for k in range(lib.kiln_model_output_count(model))]


def new_context(threads: int = 0, memory: int = 0) -> Any:
    shared = options("kiln_context_options", threads=threads, memory=memory, diagnostic=lib.kiln_python_diagnostic)
    return made(lib.kiln_context_new, "kiln_context **", lib.kiln_context_free, shared)


def open_model(model: Any, context: Any, seconds: float = 0.0, follow_links: str | os.PathLike | None = None) -> Any:
    """`model` is a path, the bytes of a file, or a ModelProto."""
    keep = Keep()
    load = options("kiln_load_options", context=context, seconds=seconds, follow_links=keep.text(follow_links))
    if isinstance(model, (str, os.PathLike)):
        return made(lib.kiln_model_open, "kiln_model **", lib.kiln_model_free, os.fsencode(model), load)
    if not isinstance(model, (bytes, bytearray, memoryview)) and not hasattr(model, "SerializeToString"):
        raise BadArgument(f"a model is a path, the bytes of a file or a ModelProto, not {type(model).__name__}")
    memory = ffi.from_buffer(model if isinstance(model, (bytes, bytearray, memoryview)) else model.SerializeToString())
    return made(lib.kiln_model_open_memory, "kiln_model **", lib.kiln_model_free, memory, len(memory), load)


def metadata_of(model: Any) -> dict[str, str]:
    key, value = ffi.new("char **"), ffi.new("char **")
    found = {}
    for k in range(lib.kiln_model_metadata_count(model)):
        lib.kiln_model_metadata(model, k, key, value)
        found[text(key[0]) or ""] = text(value[0]) or ""
    return found


def initializers(model: Any) -> dict[str, Any]:
    """Of a kiln_model: tensors by their names, which belong to it."""
    name = ffi.new("char **")
    found = {}
    for k in range(lib.kiln_model_initializer_count(model)):
        tensor = lib.kiln_model_initializer(model, k, name)
        found[text(name[0]) or ""] = tensor
    return found


@dataclass(frozen=True)
class ModelMeta:
    """What a file says of itself."""

    producer_name: str
    graph_name: str
    domain: str
    description: str
    version: int
    custom_metadata_map: dict[str, str]


class SessionOptions:
    """onnxruntime's, as far as they say something here: intra_op_num_threads. Others may be set, and do nothing: results do not depend on them."""

    def __init__(self) -> None:
        self.intra_op_num_threads = 0


class Session:
    """A model made ready to run, with the calls of onnxruntime's InferenceSession. `model` is a path, the bytes of a file, or a ModelProto.

    sess_options: of its fields intra_op_num_threads counts. providers: the CPU is what there is, and must be among them. threads: 0 for one for each CPU;
    results do not depend on it. memory: bytes, and seconds: of computing, that loading and running may take; 0 for no limit. seed: of random operators.
    exact: only ways that round as a plain sum does. follow_links: a directory that symbolic links of external data may lead to, too. Errors: those of
    kiln.errors. Threads that run one session take turns."""

    def __init__(
        self,
        model: Any,
        sess_options: Any = None,
        providers: Sequence[Any] | None = None,
        provider_options: Sequence[Mapping] | None = None,
        *,
        threads: int = 0,
        memory: int = 0,
        seconds: float = 0.0,
        seed: int = 0,
        exact: bool = False,
        follow_links: str | os.PathLike | None = None,
    ) -> None:
        names = [p if isinstance(p, str) else p[0] for p in providers or [PROVIDER]]
        if PROVIDER not in names:
            raise BadArgument(f"providers are {', '.join(names)}, must have {PROVIDER} among them")
        self._context = new_context(threads or getattr(sess_options, "intra_op_num_threads", 0), memory)
        self._model = open_model(model, self._context, seconds, follow_links)
        self._begin(seconds=seconds, seed=seed, exact=exact)

    @classmethod
    def of(cls, model: Any, context: Any, **named: Any) -> Session:
        """Of a kiln_model of the library."""
        self = cls.__new__(cls)
        self._context, self._model = context, model
        self._begin(**named)
        return self

    def _begin(self, **named: Any) -> None:
        wanted = options("kiln_session_options", context=self._context, **named)
        model = self._model  # which must outlive it

        def free(handle: Any, model: Any = model) -> None:
            lib.kiln_session_free(handle)

        self._session = made(lib.kiln_session_new, "kiln_session **", free, model, wanted)
        self._turn = threading.Lock()
        self._inputs, self._outputs = inputs_of(self._model), outputs_of(self._model)
        self._input = {v.name: (v, ffi.new("char[]", encode(v.name))) for v in self._inputs}
        self._output = {v.name: k for k, v in enumerate(self._outputs)}

    def get_inputs(self) -> list[Value]:
        """In the order of the file, without those that have a value in it."""
        given = initializers(self._model)
        return sorted((v for v in self._inputs if v.name not in given), key=lambda v: v.place)

    def get_overridable_initializers(self) -> list[Value]:
        """Inputs that have a value in the file, which may be given another one."""
        given = initializers(self._model)
        return [v for v in self._inputs if v.name in given]

    def get_outputs(self) -> list[Value]:
        return list(self._outputs)

    def get_modelmeta(self) -> ModelMeta:
        about = lib.kiln_model_about(self._model)
        producer, graph, domain, doc = (text(t) or "" for t in (about.producer_name, about.graph_name, about.domain, about.doc))
        return ModelMeta(producer, graph, domain, doc, about.model_version, metadata_of(self._model))

    def get_providers(self) -> list[str]:
        return [PROVIDER]

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Any], run_options: Any = None) -> list[Any]:
        """The outputs of these names, of all where it is None, as a list. `input_feed` is {name of an input: value}. run_options are taken, and do nothing."""
        tensors, names = [], []
        for name, x in input_feed.items():
            if name not in self._input:
                raise BadArgument(f"there is no input '{name}'; inputs are {', '.join(self._input) or 'none'}")
            v, c_name = self._input[name]
            tensors.append(values.from_python(x, v.kinds, v.key, v.dtype))
            names.append(c_name)
        for name in output_names or ():
            if name not in self._output:
                raise BadArgument(f"there is no output '{name}'; outputs are {', '.join(self._output)}")
        wanted = range(len(self._outputs)) if not output_names else [self._output[name] for name in output_names]
        with self._turn:
            call(lib.kiln_session_run, self._session, len(names), names, tensors)
            return [values.to_python(lib.kiln_session_output(self._session, k)) for k in wanted]


def predict(session: Session, arrays: Sequence[np.ndarray], batch: int) -> list[np.ndarray]:
    """The outputs for all samples of the required inputs' arrays, so many at a time, one behind the other."""
    names = [v.name for v in session._inputs[: len(arrays)]]
    count = len(arrays[0])
    parts = []
    for at in range(0, max(count, 1), batch):
        parts.append(session.run(None, {name: x[at : at + batch] for name, x in zip(names, arrays)}))
    return parts[0] if len(parts) == 1 else [np.concatenate(p) for p in zip(*parts)]

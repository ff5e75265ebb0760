"""A model that is trained, measured and run, with the calls of Keras' Model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import data as data_
from . import session, values
from ._library import Keep, ffi, lib, options
from .adaptation import Adaptation
from .data import Dataset
from .errors import BadArgument, call, made
from .interrupt import interruptible
from .learning import DEFAULT_BATCH, Learning
from .stream import is_stream, passes_of


class Model(Learning):
    """`source` is a path (binary or the textual syntax), the bytes of a file, or an onnx.ModelProto. Parameters without a value are drawn by the seed.

    threads: 0 for one for each CPU; results do not depend on it. memory: bytes, and seconds: of computing, that each call may take; 0 for no limit.
    follow_links: a directory that symbolic links of external data may lead to. Calls from several threads take turns."""

    # -- running --

    def _running(self) -> session.Session:
        model = self._current()
        if self._session is None:  # of a file in training form, too, as it is after training
            after = made(lib.kiln_model_edit, "kiln_model **", lib.kiln_model_free, model, options("kiln_edit_options", inference=True))
            self._session = session.Session.of(after, self._context, seconds=self.seconds, exact=self._settings.exact)
        return self._session

    def _ask(self, run: session.Session, x: Any) -> list[np.ndarray]:
        """Arrays of the types and in the order of the model's inputs."""
        names = [v.name for v in self._required]
        given = data_.columns_of(x, names, "x") if names else {}
        if set(given) not in ({None}, set(names)):
            raise BadArgument(f"x has {', '.join(str(n) for n in given)}, the model needs {', '.join(names)}")
        return [np.asarray(a, values.TO_NUMPY.get(v.dtype)) for v, a in ((v, given[v.name if v.name in given else None]) for v in self._required)]

    def predict(self, x: Any, batch_size: int | None = None, verbose: int | str = 0) -> Any:
        """The output for all samples, a list of arrays where there are several; x as fit takes it, without what is to be predicted."""
        with self._turn:
            run = self._running()
            if self._plain and isinstance(x, np.ndarray) and len(self._required) == 1 and x.ndim and len(x) <= (batch_size or DEFAULT_BATCH):
                v = self._required[0]  # the short way of what is asked for again and again
                outputs = run.run(None, {v.name: np.asarray(x, values.TO_NUMPY.get(v.dtype))})
                return outputs[0] if len(outputs) == 1 else outputs
            with interruptible(self._context):
                if is_stream(x):
                    batches = (item[0] if isinstance(item, tuple) else item for item in passes_of(x)(0))
                    parts = [self._predict(run, b, batch_size or 2**62) for b in batches]
                    outputs = [np.concatenate(p) for p in zip(*parts)]
                else:
                    outputs = self._predict(run, x, batch_size or DEFAULT_BATCH)
            return outputs[0] if len(outputs) == 1 else outputs

    def _predict(self, run: session.Session, x: Any, batch: int) -> list[np.ndarray]:
        if self._plain and not isinstance(x, str):
            return session.predict(run, self._ask(run, x), batch)
        fields = self._fields(test=True) | {"unlabelled": True}
        data = data_.of_spec(x, fields) if isinstance(x, str) else data_.of_samples(x, self._required, fields)
        if self._normalizes:
            data = data.normalized_for(self._current())
        fixed = next((v.shape[0] for v in self._required if v.shape and isinstance(v.shape[0], int)), 0)
        return self._each(run, data, fixed or min(batch, max(data.about.count, 1)), bool(fixed))

    def _each(self, run: session.Session, data: Dataset, batch: int, whole: bool) -> list[np.ndarray]:
        names = ffi.new("char *[]", [run._input[v.name][1] for v in self._required])
        parts: list[list[np.ndarray]] = []

        def each(x: Any, first: int, count: int) -> None:
            call(lib.kiln_session_run, run._session, len(self._required), names, x)
            parts.append([values.to_array(lib.kiln_session_output(run._session, k))[:count] for k in range(len(self._outputs))])

        handle = ffi.new_handle(each)
        call(lib.kiln_dataset_each, data.handle, self._model, batch, whole, lib.kiln_python_each, handle)
        return [np.concatenate(p) for p in zip(*parts)]

    def predict_on_batch(self, x: Any) -> Any:
        """All samples at once."""
        return self.predict(x, batch_size=2**62)

    __call__ = predict_on_batch

    # -- adapting --

    def adapt(
        self,
        x: Any = None,
        *,
        classes: int = 0,
        freeze_backbone: bool = False,
        choices: Mapping[str, str] | None = None,
        folded: str = "named",
        epsilon: float = 0.0,
        momentum: float = 0.0,
        inference: bool = False,
        keep_batch: bool = False,
        outputs: Sequence[str] = (),
        head: Any = None,
    ) -> Adaptation:
        """Makes of an export a network that trains and computes the same, in this model; tells what was found.

        x: samples as the network is used on, for what the file does not have: arrays, or a data set that the library opens. classes: the last layer becomes
        a new one with so many. choices: {pattern of findings: what it is}, as of `kiln adapt --as`. folded: layers that BatchNormalization may have been
        folded into, "named", "all" or "none". head: a model in place of the last layer. The others are those of `kiln adapt --help`."""
        with self._alone("adapt"):
            keep = Keep()
            wanted = options("kiln_adapt_options", seconds=self.seconds, classes=classes, freeze_backbone=freeze_backbone, epsilon=epsilon, momentum=momentum)
            wanted.inference, wanted.keep_batch = inference, keep_batch
            folds = {"named": lib.KILN_FOLDED_NAMED, "all": lib.KILN_FOLDED_ALL, "none": lib.KILN_FOLDED_NONE}
            if folded not in folds:
                raise BadArgument(f"folded is '{folded}', must be one of {', '.join(folds)}")
            wanted.folded = folds[folded]
            wanted.choice_count, wanted.choice_names, wanted.choices = len(choices or {}), keep.texts(choices or {}), keep.texts((choices or {}).values())
            wanted.output_count, wanted.outputs = len(outputs), keep.texts(outputs)
            if head is not None:
                other = head._current() if isinstance(head, Model) else session.open_model(head, self._context, self.seconds)
                keep.append(other)
                wanted.head = other
            if x is not None:
                fields = self._fields() | {"unlabelled": True}
                data = data_.of_spec(x, fields) if isinstance(x, str) else data_.of_samples(x, self._required, fields)
                wanted.data = (data.normalized_for(self._current()) if self._normalizes else data).handle
                keep.append(data)
            found = ffi.new("kiln_adaptation **")
            with interruptible(self._context):
                model = made(lambda out, *rest: lib.kiln_adapt(out, found, *rest), "kiln_model **", lib.kiln_model_free, self._current(), wanted)
            result = Adaptation(ffi.gc(found[0], lib.kiln_adaptation_free))
            self._set_model(model)
            return result

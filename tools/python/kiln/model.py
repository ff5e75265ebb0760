"""A model that is trained, measured and run, with the calls of Keras' Model."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import data as data_
from . import progress, session, summary, values
from ._library import Keep, encode, ffi, lib, options, text
from .adaptation import Adaptation
from .callbacks import Callbacks, LearningRateScheduler, ReduceLROnPlateau
from .data import Dataset
from .errors import BadArgument, RunFailed, call, made
from .history import History
from .interrupt import interruptible
from .settings import Choice, Settings
from .stream import Stream, is_stream, passes_of
from .trainer import Trainer
from .training import Fit
from .weights import Weights, initializers, with_initializers

DEFAULT_BATCH = 32
GOLDEN = 0x9E3779B97F4A7C15  # odd: the seeds of trainings one after the other are all different
default_seed = 0


def set_random_seed(seed: int) -> None:
    """Of the models that are made from here on: of initial values, the order of samples, augmentation and Dropout."""
    global default_seed
    default_seed = seed


class Model:
    """`source` is a path (binary or the textual syntax), the bytes of a file, or an onnx.ModelProto. Parameters without a value are drawn by the seed.

    threads: 0 for one for each CPU; results do not depend on it. memory: bytes, and seconds: of computing, that each call may take; 0 for no limit.
    follow_links: a directory that symbolic links of external data may lead to. Calls from several threads take turns."""

    def __init__(
        self,
        source: Any,
        *,
        seed: int | None = None,
        threads: int = 0,
        memory: int = 0,
        seconds: float = 0.0,
        follow_links: str | os.PathLike | None = None,
    ) -> None:
        self.seed = default_seed if seed is None else seed
        self.seconds = seconds
        self._context = session.new_context(threads, memory)
        self._turn = threading.RLock()
        self._set_model(session.open_model(source, self._context, seconds, follow_links))
        if lib.kiln_model_missing_count(self._model):
            self._set_model(made(lib.kiln_model_initialize, "kiln_model **", lib.kiln_model_free, self._model, self.seed, False, ffi.NULL))
        self._settings = Settings()
        self._fits = 0
        self.history: History | None = None
        self.stop_training = False
        self.epoch_is_best = False  # by what a ModelCheckpoint looks at; during fit

    # -- the file --

    def _set_model(self, handle: Any) -> None:
        """Of what is there then, nothing has been trained."""
        self._model = handle
        self._trainer: Trainer | None = None
        self._seen: tuple[int, int] = (0, 0)  # what `_model` has of what the trainer has learned
        self._session: session.Session | None = None
        self._fitting = False
        self._inputs, self._outputs = session.inputs_of(handle), session.outputs_of(handle)
        self._required = [v for v in self._inputs if not v.optional]
        self._output_names = [v.name for v in self._outputs]
        self._normalizes = any(key.startswith("kiln.normalize.") for key in self.metadata)
        first = [v.shape[0] if v.shape else 0 for v in self._required]
        # Samples come first and in any number, and are taken as they are.
        self._plain = not self._normalizes and all(not isinstance(d, int) and d == first[0] for d in first)

    def _current(self) -> Any:
        """The kiln_model with all that was learned."""
        if self._trainer and self._trainer.version != self._seen:
            self._model, self._seen = self._trainer.export(), self._trainer.version
            self._session = None
        return self._model

    @contextmanager
    def _alone(self, what: str) -> Iterator[None]:
        """Not while fit runs, whose callbacks are on the same thread."""
        with self._turn:
            if self._fitting:
                raise BadArgument(f"{what} changes what is being trained: not from a callback of fit")
            yield

    @property
    def inputs(self) -> list[session.Value]:
        """Those that must be given come first."""
        return list(self._inputs)

    @property
    def outputs(self) -> list[session.Value]:
        return list(self._outputs)

    @property
    def metadata(self) -> dict[str, str]:
        key, value = ffi.new("char **"), ffi.new("char **")
        model, found = self._current(), {}
        for k in range(lib.kiln_model_metadata_count(model)):
            lib.kiln_model_metadata(model, k, key, value)
            found[text(key[0]) or ""] = text(value[0]) or ""
        return found

    def save(self, path: str | os.PathLike) -> None:
        """As ONNX, text where the name ends in .onnxtxt: everything that is not learned is as it was loaded. The file is replaced whole or not at all."""
        with self._turn:
            if self._trainer and self._trainer.version != self._seen:
                self._trainer.save(path)
            else:
                call(lib.kiln_model_save, self._model, os.fsencode(path), lib.KILN_FORM_BY_NAME)

    def to_bytes(self) -> bytes:
        """The same in memory."""
        parts: list[bytes] = []
        handle = ffi.new_handle(parts.append)
        with self._turn:
            call(lib.kiln_model_write, self._current(), lib.KILN_FORM_BINARY, lib.kiln_python_write, handle)
        return b"".join(parts)

    def summary(self, print_fn: Callable[[str], Any] | None = None) -> None:
        """Prints a table of layers; each line goes to print_fn, where that is given."""
        for line in summary.lines_of(self._current()):
            (print_fn or print)(line)

    def __str__(self) -> str:
        return "\n".join(summary.lines_of(self._current()))

    # -- how it learns --

    def compile(
        self,
        optimizer: Choice = "adam",
        loss: Choice | Mapping[str, Choice | None] | Sequence[Choice | None] | None = None,
        metrics: Choice | Mapping[str, Any] | Sequence[Any] | None = None,
        loss_weights: Mapping[str, float] | Sequence[float] | None = None,
        *,
        schedule: Choice | None = None,
        regularizers: Mapping[str, Choice] | None = None,
        activity_regularizers: Mapping[str, Choice] | None = None,
        rate_factors: Mapping[str, float] | None = None,
        exclude_from_weight_decay: Sequence[str] = (),
        class_axis: int = 0,
        exact: bool = False,
        recompute: bool = False,
        bptt: int = 0,
        untie: bool = False,
    ) -> None:
        """How it learns from here on; what it has learned stays, what the optimiser kept does not.

        optimizer, loss, metrics: Keras' names, with options behind a colon ("sgd:learning_rate=0.1"), or kiln.optimizers.SGD(0.1). loss, metrics and
        loss_weights may be dicts by the outputs' names, or lists. loss None: by what each output is. The learning rate may be one of kiln.schedules.
        regularizers, activity_regularizers and rate_factors are dicts by shell patterns of parameters, or of nodes. class_axis: the dimension of outputs
        that holds the classes, 0: as the output or the labels tell. exact: only ways that round as a plain sum does. recompute: memory for time. bptt:
        gradients go back through so many steps of a recurrence. untie: an initializer that several nodes read becomes one for each."""
        named = dict(locals())
        del named["self"]
        with self._alone("compile"):
            before = self._settings
            self._settings = Settings(**named, default=False, freeze=before.freeze, train=before.train)
            self._begin_anew()

    def _begin_anew(self) -> None:
        self._set_model(self._current())

    def freeze(self, *patterns: str) -> None:
        """Parameters that keep their values, by shell patterns of their names or those of the nodes that read them."""
        with self._alone("freeze"):
            self._settings.freeze += [p for p in patterns if p not in self._settings.freeze]
            self._begin_anew()

    def unfreeze(self, *patterns: str) -> None:
        """What freeze was given trains again. Without a pattern all that can, also what the file says is frozen."""
        with self._alone("unfreeze"):
            unknown = [p for p in patterns if p not in self._settings.freeze]
            if unknown:
                raise BadArgument(f"'{unknown[0]}' was not frozen; {', '.join(self._settings.freeze) or 'nothing'} was")
            self._settings.freeze = [p for p in self._settings.freeze if patterns and p not in patterns]
            self._settings.train = self._settings.train if patterns else ["*"]
            self._begin_anew()

    def _new_trainer(self, **named: Any) -> Trainer:
        return Trainer(self._current(), self._context, self._settings, self._output_names, seed=self.seed, seconds=self.seconds, **named)

    def _trainer_for(self, *, weighted: bool = False, class_weight: str | None = None, **named: Any) -> Trainer:
        """The trainer, which is made where there is none, and made again, with its state, where weights are new to it."""
        now = self._trainer
        if now and (now.weighted or not weighted) and now.class_weight == class_weight:
            return now
        fresh = self._new_trainer(weighted=weighted or bool(now and now.weighted), class_weight=class_weight, **named)
        if now:
            fresh.take_state(now)
        self._trainer, self._seen = fresh, fresh.version
        return fresh

    @property
    def learning_rate(self) -> float:
        """Of the next step. It can be set once there is a training: after the first batch, or from a callback."""
        return self._ready().learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self._ready().learning_rate = rate

    def _ready(self) -> Trainer:
        if not self._trainer:
            raise BadArgument("there is no training yet: fit or train_on_batch begins one; compile(optimizer=...) says with which learning rate")
        return self._trainer

    # -- data --

    def _fields(self, *, test: bool = False, like: Dataset | None = None) -> dict[str, Any]:
        """Of kiln_data_options; what they point to stays with `_keep`."""
        keep = self._keep = Keep()
        targets, count = self._settings.c_targets(self._output_names, keep)
        fields = {"context": self._context, "model": self._current(), "loss": keep.text(self._settings.common_loss()), "targets": targets, "target_count": count, "seconds": self.seconds}
        fields["part"] = lib.KILN_PART_TEST if test else lib.KILN_PART_TRAIN
        return fields | ({"as": like.handle} if like else {})

    @property
    def _loss_known(self) -> bool:
        return self._settings.loss is not None or any(key.startswith("kiln.loss.") for key in self.metadata)

    def _open(self, x: Any, y: Any, weights: Any, *, test: bool = False, like: Dataset | None = None, **named: Any) -> Dataset:
        """A data set of whatever x is; a stream makes the trainer on its way, which knows classes from numbers."""
        fields = self._fields(test=test, like=like)
        if isinstance(x, str) or is_stream(x):
            if y is not None or weights is not None:
                raise BadArgument("x has what is to be predicted, and weights, itself: y and sample_weight must be None")
        elif y is None:
            raise BadArgument("y is None: there is nothing to be predicted")
        if isinstance(x, str):
            return data_.of_spec(x, fields)
        if not is_stream(x):
            return data_.of_arrays(x, y, weights, self._required, self._output_names, fields, self._loss_known)
        stream = Stream(x, self._required, self._output_names)
        sample = next(iter(stream.x.values())) if len(stream.x) == 1 else None
        numbers = data_.have_values(list(stream.y.values()), self._loss_known) or not all(a.dtype.kind in "iub" for a in stream.y.values())
        making = {"values_": numbers, "sample": self._cast(sample)}
        trainer = self._new_trainer(measure=True, **making) if test else self._trainer_for(weighted=stream.weighted, **named, **making)
        return stream.open(trainer.classes, fields)

    def _cast(self, x: np.ndarray | None) -> np.ndarray | None:
        return None if x is None else np.asarray(x, values.TO_NUMPY.get(self._required[0].dtype))

    def _tell(self, data: Dataset, always: bool) -> None:
        """What the data say of the model becomes a part of it: names of classes, the normalisation."""
        if always or data_.class_names(data):
            self._set_model(made(lib.kiln_model_edit, "kiln_model **", lib.kiln_model_free, self._current(), options("kiln_edit_options", data=data.handle)))

    def _train_set(self, x: Any, y: Any, weights: Any, normalize: str | None, **named: Any) -> Dataset:
        data = self._open(x, y, weights, **named)
        if normalize is not None and self._trainer and self._trainer.version != (0, 0):
            raise BadArgument("normalize belongs to the first training: the model has learned from samples as they were")
        if normalize is not None:
            self._trainer = None
            data = data.normalized(normalize)
        elif self._normalizes:
            data = data.normalized_for(self._current())
        if not self._trainer:
            self._tell(data, normalize is not None)
        return data

    def _check_set(self, given: Any, train: Dataset, normalize: str | None) -> Dataset:
        x, y, w = (*given, None)[:3] if isinstance(given, (tuple, list)) and len(given) in (2, 3) else (given, None, None)
        check = self._open(x, y, w, test=True, like=train)
        if normalize is not None:
            return check.normalized(normalize, train)
        return check.normalized_for(self._current()) if self._normalizes else check

    # -- training --

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | str | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
        *,
        seed: int | None = None,
        normalize: str | None = None,
        augment: str | Mapping[str, Any] | None = None,
        checkpoint: str | os.PathLike | None = None,
        resume: str | os.PathLike | None = None,
    ) -> History:
        """Trains as Keras' fit does, and returns its History.

        x, y: arrays, or what has memory as arrays have (tensors of PyTorch), dicts or lists of such for several inputs or outputs. x alone: a data set that
        the library opens ("npz:train.npz", "folder:photos"; `kiln train --help` lists them), or batches (x, y) or (x, y, weights) from a generator, an
        iterator, a function that makes one, or what has items and a length. validation_data: (x, y), (x, y, weights), or one of those. Batches of a
        generator are steps where batch_size is None. class_weight may be "balanced". verbose: 1 is a bar, 2 a line for each epoch, 0 nothing, "auto" 1 in a
        terminal and 2 elsewhere. seed: of the order; the same one gives the same bytes (the model's; of the trainings after the first another each).
        normalize: "unit", "standardize" ... (`kiln train --help`), written into the model, and done by predict and evaluate from then on. augment: Keras'
        ImageDataGenerator's options. checkpoint: a file that holds all that is needed to go on with resume.

        Control-C raises KeyboardInterrupt, and the model has what was learned until then; so it has where a callback sets `stop_training`."""
        if x is None:
            raise BadArgument("x is None: there is nothing to be learned from")
        if validation_data is not None and validation_split:
            raise BadArgument("validation_data and validation_split exclude each other")
        if validation_batch_size not in (None, batch_size or DEFAULT_BATCH):
            raise BadArgument("validation_batch_size must be batch_size: results are the same for any, but where a model looks at other samples of a batch")
        with self._alone("fit"):
            weighed = spelled_weights(class_weight)
            train = self._train_set(x, y, sample_weight, normalize, class_weight=weighed)
            check = None
            if validation_split:
                train, check = train.split(validation_split)
            elif validation_data is not None:
                check = self._check_set(validation_data, train, normalize)
            if augment is not None:
                train = train.augmented(augment if isinstance(augment, str) else ",".join(f"{k}={spelled_option(v)}" for k, v in augment.items()))
            weighted = bool(train.about.weighted or (check and check.about.weighted))
            trainer = self._trainer_for(weighted=weighted, class_weight=weighed, data=train)
            trainer.look_at(train)
            params = {"verbose": progress.level(verbose), "epochs": epochs, "steps": steps_per_epoch}
            self.history = History(self, params)
            together = Callbacks(callbacks, self, params)
            fields = {
                "batch": batch_size or train.batch or trainer.batch or DEFAULT_BATCH,
                "epochs": epochs,
                "in_order": not shuffle or train.source is not None,
                "seed": (self.seed + GOLDEN * self._fits) % 2**64 if seed is None else seed,
                "initial_epoch": initial_epoch,
                "steps_per_epoch": steps_per_epoch or 0,
                "validation_freq": validation_freq if check else 0,
                "validation_steps": validation_steps or 0,
                "checkpoint": None if checkpoint is None else os.fsdecode(checkpoint),
                "resume": None if resume is None else os.fsdecode(resume),
            }
            fields = {k: v for k, v in (fields | together.fit_options()).items() if v is not None}
            rates = any(isinstance(c, (ReduceLROnPlateau, LearningRateScheduler)) for c in together.all)
            fit = Fit(self, trainer, self.history, together, progress.Progress(verbose, epochs), rates)
            self.stop_training, self._fitting = False, True
            self._fits += 1
            try:
                fit.run(train, check, self._context, fields)
            finally:
                self._fitting = False
                trainer.changes += 1  # moving averages, or the best of all epochs
            return self.history

    def _batch(self, x: Any, y: Any, weights: Any, class_weight: Any) -> tuple[Trainer, list[Any], list[Any], Any]:
        xs = data_.columns_of(x, [v.name for v in self._required], "x")
        ys = {name: data_.labels(a) for name, a in data_.columns_of(y, self._output_names, "y").items()}
        weighed = spelled_weights(class_weight)
        if not self._trainer or self._trainer.class_weight != weighed or (weights is not None and not self._trainer.weighted) or self._normalizes:
            data = self._open(x, y, weights)
            if self._normalizes:
                data = data.normalized_for(self._current())
            trainer = self._trainer_for(weighted=weights is not None, class_weight=weighed, data=data)
            if self._normalizes:
                return trainer, self._batch_of(data, len(next(iter(xs.values())))), trainer.label_tensors(ys), self._weight_tensor(weights)
        trainer = self._ready()
        return trainer, trainer.tensors(xs), trainer.label_tensors(ys), self._weight_tensor(weights)

    @staticmethod
    def _weight_tensor(weights: Any) -> Any:
        return None if weights is None else values.from_array(np.ascontiguousarray(weights, np.float32))

    def _batch_of(self, data: Dataset, count: int) -> list[Any]:
        room = ffi.new("kiln_tensor *[]", len(self._required))
        call(lib.kiln_dataset_batch, room, data.handle, self._current(), list(range(count)), count)
        return [ffi.gc(t, lib.kiln_tensor_free) for t in room]

    def train_on_batch(self, x: Any, y: Any, sample_weight: Any = None, class_weight: Mapping[int, float] | None = None, return_dict: bool = False) -> Any:
        """One step on one batch. The loss, or a list of it and what is measured, from before the update; a step measures loss and accuracy, other metrics
        are NaN."""
        with self._alone("train_on_batch"):
            trainer, xs, ys, w = self._batch(x, y, sample_weight, class_weight)
            return as_keras(trainer.step(xs, ys, w), return_dict)

    def test_on_batch(self, x: Any, y: Any, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """As evaluate, of one batch."""
        return self.evaluate(x, y, batch_size=len(next(iter(data_.columns_of(x, [v.name for v in self._required], "x").values()))), sample_weight=sample_weight, return_dict=return_dict, verbose=0)

    def evaluate(
        self, x: Any = None, y: Any = None, batch_size: int | None = None, verbose: int | str = "auto", sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """The loss, or a list of it and the metrics, with return_dict by their names; x, y and sample_weight as fit takes them."""
        with self._turn:
            data = self._open(x, y, sample_weight, test=True)
            if self._normalizes:
                data = data.normalized_for(self._current())
            weighted = bool(data.about.weighted)
            if self._trainer and not self._fitting and (self._trainer.weighted or not weighted):
                trainer = self._trainer
            else:
                trainer = self._new_trainer(measure=True, data=data, weighted=weighted)
            with interruptible(self._context):
                logs = trainer.evaluate(data, batch_size or data.batch or trainer.batch or DEFAULT_BATCH)
            if progress.level(verbose):
                print(progress.numbers(logs).removeprefix(" - "))
            return as_keras(logs, return_dict)

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

    # -- weights --

    @property
    def weights(self) -> Weights:
        """What trains, and running statistics, by name: copies, which can be set."""
        return Weights(self)

    def _roles(self) -> dict[str, str]:
        with self._turn:
            if self._trainer:
                return {text(p.name) or "": text(lib.kiln_role_name(p.role)) or "" for p in self._trainer.parameters() if p.role != lib.KILN_CONSTANT}
            with summary.summary_of(self._model) as s:
                all_ = [lib.kiln_summary_parameter(s, k) for k in range(lib.kiln_summary_parameter_count(s))]
                return {text(p.name) or "": text(lib.kiln_role_name(p.role)) or "" for p in all_ if p.role != lib.KILN_CONSTANT}

    def _get_weight(self, name: str) -> np.ndarray:
        with self._turn:
            found = initializers(self._current())
            if name not in found:
                raise KeyError(name)
            return values.to_array(found[name])

    def _set_weights(self, arrays: Mapping[str, np.ndarray]) -> None:
        with self._turn:
            learned = {text(p.name) for p in self._trainer.parameters() if p.role in (lib.KILN_TRAINABLE, lib.KILN_STATISTIC)} if self._trainer else set()
            if self._trainer and learned.issuperset(arrays):
                for name, array in arrays.items():
                    self._trainer.set(name, np.asarray(array, np.float64 if array.dtype == np.float64 else np.float32))
                return
            with self._alone("setting what does not train"):
                self._set_model(with_initializers(self._current(), arrays))

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


def as_keras(logs: Mapping[str, float], return_dict: bool) -> Any:
    if return_dict:
        return dict(logs)
    return list(logs.values()) if len(logs) > 1 else next(iter(logs.values()))


def spelled_weights(class_weight: Mapping[Any, float] | str | None) -> str | None:
    return class_weight if class_weight is None or isinstance(class_weight, str) else ",".join(f"{k}={float(v)!r}" for k, v in class_weight.items())


def spelled_option(x: Any) -> str:
    return "/".join(str(v) for v in x) if isinstance(x, (list, tuple)) else str(int(x)) if isinstance(x, bool) else str(x)

"""What Model.compile was given, as the library's options have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ._library import Keep, ffi
from .errors import BadArgument
from .spec import Spec

Choice = str | Spec


@dataclass
class Settings:
    """Fields are Model.compile's."""

    optimizer: Choice | None = None
    loss: Choice | Mapping[str, Choice | None] | Sequence[Choice | None] | None = None
    metrics: Choice | Mapping[str, Any] | Sequence[Any] | None = None
    loss_weights: Mapping[str, float] | Sequence[float] | None = None
    schedule: Choice | None = None
    regularizers: Mapping[str, Choice] | None = None
    activity_regularizers: Mapping[str, Choice] | None = None
    rate_factors: Mapping[str, float] | None = None
    exclude_from_weight_decay: Sequence[str] = ()
    class_axis: int = 0
    exact: bool = False
    recompute: bool = False
    bptt: int = 0
    untie: bool = False
    default: bool = True  # nobody has called compile: everything is the library's choice
    freeze: list[str] = field(default_factory=list)
    train: list[str] = field(default_factory=list)

    def by_output(self, what: Any, outputs: Sequence[str], title: str) -> dict[str, Any]:
        """A dict by the outputs' names, of one or of a list in their order."""
        if isinstance(what, Mapping):
            for name in what:
                if name not in outputs:
                    raise BadArgument(f"{title}: there is no output '{name}'; outputs are {', '.join(outputs)}")
            return {name: x for name, x in what.items() if x is not None}
        if len(what) > len(outputs):
            raise BadArgument(f"{title} has {len(what)} entries, the model {len(outputs)} outputs")
        return {name: x for name, x in zip(outputs, what) if x is not None}

    def common_loss(self) -> str | None:
        """That of all outputs."""
        return str(self.loss) if isinstance(self.loss, (str, Spec)) else None

    def targets(self, outputs: Sequence[str]) -> dict[str, tuple[str | None, float]]:
        """{output: loss, weight} of those that are named to learn; {}: as the data or the library say."""
        losses = {} if self.loss is None or self.common_loss() else self.by_output(self.loss, outputs, "loss")
        weights = {} if self.loss_weights is None else self.by_output(self.loss_weights, outputs, "loss_weights")
        if any(not w > 0 for w in weights.values()):
            raise BadArgument("loss_weights must be above 0: what does not count has no loss")
        return {
            name: (str(losses[name]) if name in losses else None, float(weights.get(name, 0)))
            for name in outputs
            if name in losses or (not losses and name in weights)
        }

    def c_targets(self, outputs: Sequence[str], keep: Keep) -> tuple[Any, int]:
        targets = self.targets(outputs)
        rows = [{"output": keep.text(name), "loss": keep.text(loss), "weight": weight} for name, (loss, weight) in targets.items()]
        return (keep("kiln_target[]", rows), len(rows)) if rows else (ffi.NULL, 0)

    def metric_names(self, outputs: Sequence[str]) -> list[str]:
        """ "OUTPUT=NAME", or "NAME" of each output."""
        if self.metrics is None or isinstance(self.metrics, (str, Spec)):
            return [] if self.metrics is None else [str(self.metrics)]
        if not isinstance(self.metrics, Mapping) and not any(isinstance(m, (list, tuple)) for m in self.metrics):
            return [str(m) for m in self.metrics]
        several = self.by_output(self.metrics, outputs, "metrics")
        return [f"{name}={m}" for name, of in several.items() for m in ([of] if isinstance(of, (str, Spec)) else of)]

    def shown(self, names: Iterable[str]) -> list[str]:
        """Of the measures those that were asked for: the library measures accuracy where nothing else is."""
        return [name for name in names if self.default or self.metrics or name == "loss" or name.endswith("_loss")]

    def optimizer_and_schedule(self) -> tuple[str | None, str | None]:
        """A schedule may be given as the optimiser's learning rate."""
        optimizer, schedule = self.optimizer, self.schedule
        if isinstance(optimizer, Spec) and isinstance(optimizer.options.get("learning_rate"), Spec):
            if schedule is not None:
                raise BadArgument("two schedules of the learning rate are given")
            schedule = optimizer.options["learning_rate"]
            optimizer = Spec(optimizer.name, {k: v for k, v in optimizer.options.items() if k != "learning_rate"})
        return None if optimizer is None else str(optimizer), None if schedule is None else str(schedule)

    def c_options(self, outputs: Sequence[str], keep: Keep, measure: bool = False) -> dict[str, Any]:
        """Fields of kiln_trainer_options; with `measure` without what is of learning alone."""
        optimizer, schedule = self.optimizer_and_schedule()
        targets, target_count = self.c_targets(outputs, keep)
        metrics = self.metric_names(outputs)
        penalties = [(p, r, False) for p, r in (self.regularizers or {}).items()] + [(p, r, True) for p, r in (self.activity_regularizers or {}).items()]
        regularizers = [{"pattern": keep.text(p), "regularizer": keep.text(str(r)), "activity": a} for p, r, a in penalties]
        factors = [{"pattern": keep.text(p), "factor": f} for p, f in (self.rate_factors or {}).items()]
        learning = {
            "optimizer": keep.text(optimizer),
            "schedule": keep.text(schedule),
            "rate_factors": keep("kiln_rate_factor[]", factors),
            "rate_factor_count": len(factors),
            "exclude_from_weight_decay": keep.texts(self.exclude_from_weight_decay),
            "exclude_from_weight_decay_count": len(self.exclude_from_weight_decay),
            "freeze": keep.texts(self.freeze),
            "freeze_count": len(self.freeze),
            "train": keep.texts(self.train),
            "train_count": len(self.train),
        }
        return ({} if measure and not regularizers else learning) | {
            "loss": keep.text(self.common_loss()),
            "targets": targets,
            "target_count": target_count,
            "metrics": keep.texts(metrics),
            "metric_count": len(metrics),
            "regularizers": keep("kiln_regularizer[]", regularizers),
            "regularizer_count": len(regularizers),
            "class_axis": self.class_axis,
            "exact": self.exact,
            "recompute": self.recompute,
            "bptt": self.bptt,
            "untie": self.untie,
        }

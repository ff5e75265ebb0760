"""What Model.adapt has found and done."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ._library import ffi, lib, text
from .errors import call

CERTAINTIES = {lib.KILN_CERTAIN: "certain", lib.KILN_LIKELY: "likely", lib.KILN_DOUBTFUL: "doubtful"}


@dataclass(frozen=True)
class Finding:
    """What was found, why that is believed ("certain", "likely", "doubtful"), what was done, and what the file cannot tell."""

    name: str
    found: str
    evidence: str
    certainty: str
    done: str
    unknown: str | None


class Adaptation:
    """`findings`; `difference` is the largest between outputs before and after, over `compared` values (of the data, or of random numbers); `changed` is
    what is meant to compute something else; `trainable` numbers train."""

    def __init__(self, handle: Any) -> None:
        about = lib.kiln_adaptation_about(handle)
        self.findings = [finding(lib.kiln_adaptation_finding(handle, k)) for k in range(about.findings)]
        self.batch_normalizations: int = about.batch_normalizations
        self.difference: float = about.difference
        self.over_data: bool = about.over_data
        self.changed = text(about.changed)
        self.compared: int = about.compared
        self.not_finite: int = about.not_finite
        self.trainable: int = about.trainable
        parts: list[bytes] = []
        keep = ffi.new_handle(parts.append)
        call(lib.kiln_adaptation_write_json, handle, lib.kiln_python_write, keep)
        self.json: dict[str, Any] = json.loads(b"".join(parts))

    def __str__(self) -> str:
        lines = [
            f"{f.name + ': ' if f.name else ''}{f.found} ({f.certainty}: {f.evidence}): {f.done}" + (f"; not known: {f.unknown}" if f.unknown else "")
            for f in self.findings
        ]
        proof = f"outputs differ by at most {self.difference:.2g}, over {self.compared} values of {'the data' if self.over_data else 'random numbers'}"
        return "\n".join([*lines, proof, *([f"changed: {self.changed}"] if self.changed else []), f"{self.trainable} numbers train"])

    def __repr__(self) -> str:
        return f"<{len(self.findings)} findings, {self.batch_normalizations} BatchNormalizations>"


def finding(f: Any) -> Finding:
    return Finding(text(f.name) or "", text(f.found) or "", text(f.evidence) or "", CERTAINTIES[f.certainty], text(f.done) or "", text(f.unknown))

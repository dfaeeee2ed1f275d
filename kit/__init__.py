"""Which database your tests reached, what opened it, and which change stops it.

The public names. Each is imported at its first use, so importing this package opens, reads and prints nothing:

| name | what it is |
| --- | --- |
| `trace`, `Answer`, `Finding` | run a command with the probes; which databases it reached, and the defects found |
| `diagnose`, `Diagnosis` | the same, then prove the cause by re-runs |
| `investigate`, `Investigation` | run notebooks, and report which claims held |
| `matrix`, `Matrix` | run notebooks under several stacks, and report which claim changed with which versions |
| `open_pair`, `Pair` | the two servers that trials run against |
| `Trial`, `run`, `Evidence` | one way to build and run the project under study, and the evidence of that run |
| `isolation`, `Ruling`, `Verdict` | whether every request stayed on the test server |
| `KitError` | a request that cannot be met: what was found, what was wanted, what to do |

docs/from-python.md has an example of each that runs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kit.analysis.model import Finding
    from kit.answer.diagnosis import Diagnosis
    from kit.answer.model import Answer
    from kit.diagnosing.command import diagnose
    from kit.errors import KitError
    from kit.evidence.model import Evidence
    from kit.evidence.verdict import Ruling, Verdict, isolation
    from kit.notebooks.investigate import investigate
    from kit.notebooks.investigate.results import Investigation
    from kit.notebooks.matrix import matrix
    from kit.notebooks.matrix.results import Matrix
    from kit.pair import Pair, open_pair
    from kit.specimens.trial import Trial
    from kit.tracing.from_python import trace
    from kit.trials.runner import run

__all__ = [
    "Answer", "Diagnosis", "Evidence", "Finding", "Investigation", "KitError", "Matrix", "Pair", "Ruling", "Trial",
    "Verdict", "__version__", "diagnose", "investigate", "isolation", "matrix", "open_pair", "run", "trace",
]  # fmt: skip

__version__ = "0.1.0"

_HOME = {
    "Answer": "kit.answer.model", "Diagnosis": "kit.answer.diagnosis", "Evidence": "kit.evidence.model",
    "Finding": "kit.analysis.model", "Investigation": "kit.notebooks.investigate.results", "KitError": "kit.errors",
    "Matrix": "kit.notebooks.matrix.results", "Pair": "kit.pair", "Ruling": "kit.evidence.verdict",
    "Trial": "kit.specimens.trial", "Verdict": "kit.evidence.verdict", "diagnose": "kit.diagnosing.command",
    "investigate": "kit.notebooks.investigate", "isolation": "kit.evidence.verdict",
    "matrix": "kit.notebooks.matrix", "open_pair": "kit.pair",
    "run": "kit.trials.runner", "trace": "kit.tracing.from_python",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'kit' has no attribute {name!r}; its names: {', '.join(sorted(_HOME))}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    """Return the package's own names and the public names."""
    return sorted({*globals(), *_HOME})

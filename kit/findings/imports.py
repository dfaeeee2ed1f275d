"""Was a database opened while modules were imported, before any test?"""

from __future__ import annotations

from collections.abc import Iterator

from kit.evidence import Frame
from kit.findings.case import Case, Leak, reach_facts
from kit.findings.model import Finding
from kit.findings.reach import MODULE


def ask(case: Case) -> Iterator[Finding]:
    """For each leak of an import: which module's own text opened it, and who imported that?"""
    for leak in case.leaks:
        statement = module_statement(leak)
        if leak.first.how != "import" or statement is None:
            continue
        importers = [frame for frame in leak.first.chain if frame.function == MODULE]
        yield Finding(
            "import-time-engine",
            f"{leak.database.name} was opened during IMPORT of {dotted(statement.file)} "
            f"({statement.file}:{statement.line}), before any test: connection from {case.leads(tuple(importers))}.",
            statement.file,
            statement.line,
            reach_facts(case, leak),
            (leak.database.id,),
            (),
            (("statement", f"{statement.file}:{statement.line}"),),
        )


def dotted(file: str) -> str:
    """A file as the module that it most likely is."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def module_statement(leak: Leak) -> Frame | None:
    """The innermost frame that is a module's own text."""
    return next((frame for frame in leak.first.chain if frame.function == MODULE), None)

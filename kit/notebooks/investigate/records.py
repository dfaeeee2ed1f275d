"""The records of a run: claims.json for programs, junit.xml for CI. Pure."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as xml
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version

import msgspec

from kit import __version__
from kit.notebooks.cells import Claim
from kit.notebooks.investigate.results import Investigation, NotebookRun, Status
from kit.trials.run_folder import FORMAT

KIT_PACKAGES = ("papermill", "nbclient", "ipykernel", "jupyter-client", "nbconvert")

# Characters that XML 1.0 does not allow: control characters, such as those that colour a traceback, and lone
# surrogates.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COLORS = re.compile("\x1b\\[[0-9;]*m")


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Return the installed versions of `packages`, without missing ones."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def claims(investigation: Investigation, stack: Mapping[str, str]) -> str:
    """Return the text of claims.json."""
    whole = {
        "format": FORMAT,
        "kit": __version__,
        "stack": dict(stack),
        "claims": [{"notebook": run.name, **claim.to_json()} for run, claim in investigation.claims],
        "notebooks": [_notebook(run) for run in investigation.notebooks],
        "exit_code": investigation.exit_code,
        "reason": investigation.reason,
        "remedy": investigation.remedy,
        "seconds": round(investigation.seconds, 3),
        "tools": versions(KIT_PACKAGES),
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _notebook(run: NotebookRun) -> dict[str, object]:
    return {
        "notebook": run.name,
        "file": run.file,
        "status": run.status.value,
        "reason": run.reason,
        "remedy": run.remedy,
        "seconds": run.seconds,
        "parameters": dict(run.parameters),
        "run": msgspec.to_builtins(run.outcome),
        "exercises": msgspec.to_builtins(run.exercises),
        "remarks": list(run.remarks),
    }


def junit(investigation: Investigation) -> str:
    """Return the text of junit.xml: a suite per notebook, a case per claim, one more if it could not run."""
    return junit_of("kit investigate", [(run.name, run) for run in investigation.notebooks])


def junit_of(name: str, suites: Iterable[tuple[str, NotebookRun]], not_run: Iterable[tuple[str, str]] = ()) -> str:
    """Return the text of junit.xml with these suites, each under its name, and with the names and reasons of others."""
    root = xml.Element("testsuites", name=name)
    for suite, run in suites:
        cases = [_case(run, claim, "failure") for claim in run.claims]
        cases += [_case(run, claim, "error") for claim in run.unreached]
        if run.status is Status.COULD_NOT_RUN:
            cases.append(_stopped_case(run))
        made = xml.SubElement(root, "testsuite", name=_clean(suite), tests=str(len(cases)), time=f"{run.seconds:.3f}")
        for outcome, count in (("failure", "failures"), ("error", "errors")):
            made.set(count, str(sum(case.find(outcome) is not None for case in cases)))
        made.extend(cases)
    for suite, reason in not_run:
        made = xml.SubElement(root, "testsuite", name=_clean(suite), tests="1", failures="0", errors="1")
        case = xml.SubElement(made, "testcase", classname=_clean(suite), name="(the stack)")
        xml.SubElement(case, "error", message=_clean(reason))
    xml.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + xml.tostring(root, encoding="unicode") + "\n"


def _case(run: NotebookRun, claim: Claim, outcome: str) -> xml.Element:
    case = xml.Element("testcase", classname=_clean(run.name), name=_clean(claim.id), time=f"{claim.seconds:.3f}")
    if not claim.held:
        message = f"expected {claim.expected}, observed {claim.observed}"
        xml.SubElement(case, outcome, message=_clean(message)).text = _clean(claim.claim)
    return case


def _stopped_case(run: NotebookRun) -> xml.Element:
    case = xml.Element("testcase", classname=_clean(run.name), name="(the notebook)", time=f"{run.seconds:.3f}")
    xml.SubElement(case, "error", message=_clean(run.reason)).text = _clean(f"To do: {run.remedy}")
    return case


def _clean(text: str) -> str:
    return _NO_XML.sub("\ufffd", _COLORS.sub("", text))

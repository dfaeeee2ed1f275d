"""The records: claims.json and junit.xml."""

from __future__ import annotations

import json
import xml.etree.ElementTree as xml
from pathlib import Path

from kit import __version__
from kit.notebooks.cells import Claim
from kit.notebooks.investigate.records import claims, junit
from kit.notebooks.investigate.results import Investigation, NotebookRun, Status, conclude
from kit.notebooks.investigate.saved import Outcome

HELD = Claim("a", "A <is> a.", "HOLDS", "HOLDS", True, 3, 1.25, "because")
FELL = Claim("b", "B is a.", 1, "\x1b[31m2\x1b[0m\x00", False, 1, 0.5)
MISSED = Claim("c", "C is late.", "x", "never reached: In [2]: it died", False, 0, 0.0)
STOPPED = Outcome(3, 1, 2.5, "In [2] x", "KernelDied", "it died", never_ran=("In [3] y",))


def investigation() -> Investigation:
    """A run in which one notebook fell, and one stopped."""
    runs = [
        NotebookRun("01_falls", Status.FELL, Outcome(2, 2, 2.0), (HELD, FELL), reason="b fell", remedy="look"),
        NotebookRun("02_stops", Status.COULD_NOT_RUN, STOPPED, (), (MISSED,), "it died", "look", parameters={"n": 1}),
    ]
    return conclude(runs, Path("runs/x"), 4.5678)


def test_claims_have_a_row_for_each_claim() -> None:
    """claims.json holds the format, the kit, the stack, and each claim with exactly the fields that are promised."""
    whole = json.loads(claims(investigation(), {"name": "current", "python": "3.11"}))
    assert (whole["format"], whole["kit"], whole["stack"]["name"]) == (1, __version__, "current")
    assert whole["claims"][0] == {
        "notebook": "01_falls", "id": "a", "claim": "A <is> a.", "expected": "HOLDS", "observed": "HOLDS",
        "held": True, "trials": 3, "seconds": 1.25,
    }  # fmt: skip
    assert [(claim["id"], claim["held"]) for claim in whole["claims"]] == [("a", True), ("b", False), ("c", False)]
    assert (whole["exit_code"], whole["reason"]) == (1, "01_falls: b fell (and 1 more notebook is red)")
    stopped = whole["notebooks"][1]
    assert (stopped["status"], stopped["parameters"]) == ("could not run", {"n": 1})
    assert stopped["run"]["never_ran"] == ["In [3] y"]


def test_junit_has_a_case_for_each_claim() -> None:
    """junit.xml tells a claim that fell from one that was never reached, and holds only what XML may."""
    root = xml.fromstring(junit(investigation()))
    falls, stops = root.findall("testsuite")
    assert [(case.get("name"), [child.tag for child in case]) for case in falls] == [("a", []), ("b", ["failure"])]
    assert [(case.get("name"), [child.tag for child in case]) for case in stops] == [
        ("c", ["error"]),
        ("(the notebook)", ["error"]),
    ]
    assert (falls.get("tests"), falls.get("failures"), falls.get("errors")) == ("2", "1", "0")
    assert (stops.get("tests"), stops.get("failures"), stops.get("errors")) == ("2", "0", "2")
    failure = falls[1][0]
    assert failure.get("message") == "expected 1, observed 2\ufffd"

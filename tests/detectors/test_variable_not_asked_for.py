"""A line of a dotenv file that nothing reads is named where its name is nearly the one that is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.detectors.variables.variable_not_asked_for import advice
from kit.evidence.model import SettingsFile
from tests.analysis.seen_runs import BY_APPLICATION, PRODUCTION, TEST, found, leak, variable

URL = f"sqlite:///{TEST}"


@pytest.mark.parametrize(
    ("file", "name", "value", "is_named"),
    [
        (".env.test", "DATABASE_URI", URL, True), (".env.test", "LOG_LEVEL", URL, False),
        (".env.test", "DATABASE_URL", URL, False), (".env.test", "DATABASE_URI", f"sqlite:///{PRODUCTION}", False),
        ("settings.toml", "DATABASE_URI", URL, False), (".env.test", "DATABASE_URI", None, False),
    ],
)  # fmt: skip
def test_a_line_of_a_file_is_named_with_the_variable_that_is_read(
    file: str, name: str, value: str | None, is_named: bool
) -> None:
    """Not a name that is read, one of another meaning, one without a value, or a file of another kind."""
    evidence = leak(variable("missing", "DATABASE_URL", 1.0, BY_APPLICATION, f"sqlite:///{PRODUCTION}"))
    entries = ((2, name, value),)
    opened = SettingsFile(at_s=0.5, file=file, entries=entries)
    named = [one for one in found(replace(evidence, settings_files=(opened,))) if one.kind == "variable-not-asked-for"]
    assert [one.where for one in named] == ([".env.test:2"] if is_named else [])
    for one in named:
        assert f"Nothing reads {name}, which {file}:2 gives as {URL}" in one.message
        assert advice(one).startswith("At .env.test:2 set DATABASE_URL")

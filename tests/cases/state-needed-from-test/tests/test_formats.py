from fastapi.testclient import TestClient

from exports.main import FORMATS, app, as_csv


def test_a_format_is_registered():
    FORMATS["csv"] = as_csv  # <- culprit
    assert "csv" in FORMATS


def test_members_are_exported():
    assert TestClient(app).get("/members.csv").json() == "Ada,Grace\r\n"

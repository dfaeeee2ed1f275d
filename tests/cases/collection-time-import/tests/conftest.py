import pytest


@pytest.fixture(autouse=True)
def database(monkeypatch, tmp_path):
    monkeypatch.setenv("CLINIC_DATABASE_URL", f"sqlite:///{tmp_path}/clinic.db")

import os
import subprocess
import sys


def test_a_site_is_kept(client):
    client.post("/sites/north")
    assert {"north", "index of north"} <= set(client.get("/sites").json())


def test_a_variable_is_put_back(monkeypatch, client):
    monkeypatch.delenv("DATABASE_URL")
    assert client.get("/sites").json() == ["/sites"]


def test_the_command_adds_a_site(client):
    subprocess.run([sys.executable, "-m", "app.add", "east"], check=True, env={**os.environ, "MODE": "once"})
    assert "east" in client.get("/sites").json()

import subprocess
import sys

CHECK = "import os; print(os.environ['DATABASE_URL'])"


def test_somebody_speaks(client, ada):
    assert client.post("/messages/hello").headers["x-took"]
    assert client.get("/log").json() == ["ada said something"]


def test_nobody_speaks(client):
    client.post("/messages/hello")
    assert client.get("/log").json() == ["nobody said something"]


def test_settings_are_inherited():
    answer = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, check=True)
    assert answer.stdout.endswith("chat.db\n")


def test_another_url_can_be_given(monkeypatch):
    from sqlalchemy.engine import make_url

    monkeypatch.setenv("DATABASE_URL", "sqlite:///elsewhere.db")
    assert make_url("sqlite:///elsewhere.db").database == "elsewhere.db"

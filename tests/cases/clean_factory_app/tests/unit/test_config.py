from library.factory import Config


def test_the_database_can_be_chosen(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "sqlite+aiosqlite:///somewhere-else.db")
    assert Config("sqlite+aiosqlite://").database_url.endswith("://")

from fastapi.testclient import TestClient
from sqlalchemy import text

from app.main import app


def test_members_are_listed(db):
    db.execute(text("insert into members values ('Ada')"))
    db.commit()
    assert TestClient(app).get("/members").json() == ["Ada"]

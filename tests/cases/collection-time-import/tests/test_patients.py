def test_nobody_is_registered():
    from fastapi.testclient import TestClient

    from clinic.models import Base, engine
    from clinic.server import app

    Base.metadata.create_all(engine)
    assert TestClient(app).get("/patients").json() == []

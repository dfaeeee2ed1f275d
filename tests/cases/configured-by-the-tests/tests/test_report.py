from app import db


def test_a_report_is_made(client):
    db.init()  # <- culprit
    assert client.post("/sites/report").status_code == 201

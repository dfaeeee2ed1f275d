from newsletter.db import Subscriber


def test_subscribing(client, session):
    response = client.put("/api/subscribers/ada@example.com")
    assert response.status_code == 202
    assert session.get(Subscriber, "ada@example.com") is not None

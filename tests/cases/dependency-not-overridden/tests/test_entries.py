from ledger.db import Entry


def test_an_entry_is_kept(client):
    assert client.post("/entries", params={"text": "tea"}).json() == {"text": "tea"}


def test_a_row_of_the_tests_own(session):
    session.add(Entry(text="ink"))
    session.flush()
    assert session.query(Entry).count() == 1

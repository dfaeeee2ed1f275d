def test_a_book_is_lent(client):
    assert client.put("/books/Middlemarch").status_code == 204
    assert client.get("/books").json() == ["Middlemarch"]
    assert client.get("/admin/count").json() == 1


def test_a_new_library_is_empty(client):
    assert client.delete("/admin/books").status_code == 204
    assert client.get("/admin/count").json() == 0

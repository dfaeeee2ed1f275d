from fastapi.testclient import TestClient

from invoices.main import app


def test_an_invoice_is_written():
    assert TestClient(app).post("/invoices/17").status_code == 201

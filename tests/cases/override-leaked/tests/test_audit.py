import unittest

from fastapi.testclient import TestClient
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from warehouse.database import warehouse_session
from warehouse.web import app


def last_years_stock():
    with Session(create_engine("sqlite:///archive/stock-2022.db")) as session:
        yield session


class AuditTests(unittest.TestCase):
    def setUp(self):
        app.dependency_overrides[warehouse_session] = last_years_stock  # <- culprit
        self.client = TestClient(app)

    def test_last_years_stock_can_still_be_read(self):
        self.assertIn("gasket", self.client.get("/parts").json())

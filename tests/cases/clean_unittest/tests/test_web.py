import sqlite3
import unittest
from unittest import mock

from fastapi.testclient import TestClient

from ports import web


class WebTests(unittest.TestCase):
    def setUp(self):
        self.db = sqlite3.connect("file:ports-test?mode=memory&cache=shared", uri=True, check_same_thread=False)
        self.db.executescript("create table ports (name text); insert into ports values ('Hamburg')")
        self.addCleanup(self.db.close)
        overrides = mock.patch.dict(web.api.dependency_overrides, {web.connection: lambda: self.db})
        overrides.start()
        self.addCleanup(overrides.stop)
        self.client = TestClient(web.public)

    def test_the_ports_are_listed(self):
        self.assertEqual(self.client.get("/api/ports").json(), ["Hamburg"])

    def test_they_are_listed_again(self):
        self.db.execute("insert into ports values ('Bremen')")
        self.assertEqual(self.client.get("/api/ports").json(), ["Hamburg", "Bremen"])


if __name__ == "__main__":
    unittest.main()

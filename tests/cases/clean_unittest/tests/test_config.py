import importlib
import os
import unittest
from unittest import mock

from ports import config


class ConfigTests(unittest.TestCase):
    def tearDown(self):
        importlib.reload(config)

    def test_the_database_is_read_from_the_environment(self):
        with mock.patch.dict(os.environ, {"PORTS_DATABASE": "other.db"}):
            self.assertEqual(importlib.reload(config).DATABASE, "other.db")

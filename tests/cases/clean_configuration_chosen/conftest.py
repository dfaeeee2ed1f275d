import os

from app import settings

os.environ["ORCHARD_URL"] = "sqlite:///orchard-test.db"


def pytest_configure(config):
    settings.file = str(config.inipath)

from app import settings


def pytest_configure(config):
    settings.file = str(config.inipath)

import os


def database_url():
    return os.getenv("CLINIC_DATABASE_URL", "sqlite:///clinic.db")

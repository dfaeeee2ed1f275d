class Config:
    DATABASES = {
        "main": "sqlite:///ledger.sqlite3",
        "audit": "sqlite:///audit.sqlite3",  # <- culprit
    }

CONFIG = {"title": "Ledger", "database": "sqlite:///ledger.db"}

import os

os.environ["LEDGER_DB"] = "ledger-test.db"

import os

os.environ["WAREHOUSE_DB"] = "sqlite:///warehouse-tests.db"

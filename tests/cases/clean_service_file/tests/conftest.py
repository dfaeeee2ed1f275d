import os

os.environ["PGSERVICEFILE"] = "tests/pg_service.conf"

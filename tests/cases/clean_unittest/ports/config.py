import os

DATABASE = os.environ.get("PORTS_DATABASE", ":memory:")

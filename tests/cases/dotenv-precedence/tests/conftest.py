import os

os.environ["DB_FILE"] = "data/recipes-test.db"  # <- also

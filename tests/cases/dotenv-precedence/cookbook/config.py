import os
from pathlib import Path

from dotenv import load_dotenv

load_dotenv(Path(__file__).parents[1] / ".env", override=True)  # <- culprit

DB_FILE = os.environ["DB_FILE"]
LOG_LEVEL = os.environ["LOG_LEVEL"]

import os
import urllib.request

import pytest

os.environ["TESTING"] = "1"  # <- culprit

from stall import prices


@pytest.fixture
def get():
    connection = prices()
    connection.execute("delete from prices")
    connection.commit()
    connection.close()
    return lambda: urllib.request.urlopen(f"http://127.0.0.1:{os.environ['PORT']}/").read()

import os
import subprocess
import sys

os.environ["TESTING"] = "1"
with subprocess.Popen([sys.executable, "stall.py"], stdout=subprocess.PIPE, text=True) as server:
    os.environ["PORT"] = server.stdout.readline().strip()
    status = subprocess.call([sys.executable, "-m", "pytest", "tests", *sys.argv[1:]])
    server.terminate()
sys.exit(status)

import os
import tempfile

folder = tempfile.TemporaryDirectory(prefix="chat-tests-")
os.environ["DATABASE_URL"] = f"sqlite:///{folder.name}/chat.db"

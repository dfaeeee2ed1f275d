import os
from configparser import ConfigParser

file = "setup.cfg"


def url() -> str:
    config = ConfigParser(inline_comment_prefixes="#")
    config.read(file)
    return os.environ.get("ORCHARD_URL") or config["orchard"]["url"]

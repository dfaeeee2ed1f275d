from clinic.server import shorten  # <- culprit


def test_names_are_shortened():
    assert shorten("Ada Lovelace") == "A. Lovelace"

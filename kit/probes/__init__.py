"""Probes: what an interpreter can tell about the databases it uses. Standard library only, Python 3.9 and later."""

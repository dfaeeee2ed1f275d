"""Runs of the specimen: in a fresh process, with a folder and databases of their own, and cached evidence."""

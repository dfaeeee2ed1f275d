"""Runs of the specimen: in a fresh process, in a folder and databases of its own, kept for who asks again."""

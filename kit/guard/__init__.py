"""The guard of a test suite: no test reaches a database that is not on the allow-list."""

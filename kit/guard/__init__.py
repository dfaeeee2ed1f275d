"""The guard of a test suite: refuses connections to databases off the allow-list."""

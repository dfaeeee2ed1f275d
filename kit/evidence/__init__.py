"""The evidence of one run, from the probes' files and the servers' logs, and the verdict on it."""

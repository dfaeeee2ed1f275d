"""What one run left behind, read from the probes' files and the servers' logs, and the verdict on it."""

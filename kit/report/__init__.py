"""Reports: evidence and verdicts in, a table, a figure or a text out. Runs nothing and writes nothing."""

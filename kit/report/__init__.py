"""Reports: convert evidence and verdicts to tables, figures or text. Runs nothing and writes nothing."""

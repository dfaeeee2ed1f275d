"""The functions that notebooks call, the run of all notebooks, and JupyterLab."""

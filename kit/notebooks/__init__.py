"""What the notebooks call, the run of all of them, and JupyterLab on them."""

"""A class: seats with servers, notebooks and a JupyterLab of their own, and what each seat has solved."""

"""The project under study, its mechanisms and attempts, and the trials that are made of them."""

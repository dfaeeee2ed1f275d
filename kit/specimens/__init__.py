"""The project under study, its mechanisms and attempts, and the trials built from them."""

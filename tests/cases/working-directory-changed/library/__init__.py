"""A library of books."""

"""Which database answered, who opened it, and what makes it stop.

The words, in the order in which an answer is made: pair, specimen, trial, evidence, verdict, report.
Importing this package opens, reads and prints nothing.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"

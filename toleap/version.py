"""The version of toleap: what an attempt was played with, and what ``--version`` prints."""

__version__ = "0.1.0"

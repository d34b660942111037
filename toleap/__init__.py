"""toleap: measure, and then improve, small deep-research agents."""

__version__ = "0.1.0"

"""The program in an empty working folder, as the tests of the commands have it."""

from tests.cli.conftest import home, program

__all__ = ["home", "program"]

"""A browser for the tests of the live page."""
from browser import browser  # noqa: F401

"""Types of command line options."""
import argparse
import re

MAX_SIDE = 16384
"""Longest side of an image in pixels that an option accepts."""


def size_or(word):
    """Return an argparse type for WIDTHxHEIGHT, as (width, height), or the given word."""
    def size(text):
        match = re.match(r'([0-9]{1,5})x([0-9]{1,5})\Z', text)
        if text == word:
            return text
        if not match:
            raise argparse.ArgumentTypeError("'{}' is neither WIDTHxHEIGHT nor `{}`".format(text, word))
        width, height = int(match.group(1)), int(match.group(2))
        if not 1 <= min(width, height) <= max(width, height) <= MAX_SIDE:
            raise argparse.ArgumentTypeError("'{}': sides must be from 1 to {}".format(text, MAX_SIDE))
        return width, height
    return size

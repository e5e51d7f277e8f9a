"""Options that several commands have, and the types of their values."""
import argparse
import itertools
import math
import re
import textwrap

MAX_SIDE = 16384
"""Longest side of an image in pixels that an option accepts."""


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Fits descriptions to the terminal; a line that begins with two spaces is an item of a list."""

    def _fill_text(self, text, width, indent):
        lines = []
        for is_list, part in itertools.groupby(text.splitlines(), lambda line: line.startswith('  ') or not line):
            for paragraph in part if is_list else [' '.join(part)]:
                head = re.match(r' *(\S+( \S+)*  +)?', paragraph)
                lines += textwrap.wrap(paragraph, width, subsequent_indent=' ' * head.end(), break_on_hyphens=False,
                                       break_long_words=False) or ['']
        return '\n'.join(lines)


def size_or(word):
    """Return an argparse type for WIDTHxHEIGHT, as (width, height), or the given word."""
    def size(text):
        match = re.match(r'([0-9]{1,5})x([0-9]{1,5})\Z', text)
        if text == word:
            return text
        if not match:
            raise argparse.ArgumentTypeError("'{}' is neither WIDTHxHEIGHT, such as 480x360, nor `{}`".format(
                text, word))
        width, height = int(match.group(1)), int(match.group(2))
        if not 1 <= min(width, height) <= max(width, height) <= MAX_SIDE:
            raise argparse.ArgumentTypeError("'{}': sides must be from 1 to {}".format(text, MAX_SIDE))
        return width, height
    return size


def share(text):
    """Argparse type: a share as a number from 0 to 1 or, with a percent sign, from 0 to 100."""
    number, percent = (text[:-1], 100) if text.endswith('%') else (text, 1)
    try:
        value = float(number) / percent
    except ValueError:
        raise argparse.ArgumentTypeError("'{}' is not a share such as 0.9 or 90%".format(text))
    if 1 < value <= 100 and percent == 1:
        raise argparse.ArgumentTypeError('{} is not from 0 to 1; write {:g} or {:g}%'.format(text, value / 100, value))
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError('{} is not from 0 to {}'.format(text, '100%' if percent > 1 else 1))
    return value


def whole(low, high=None):
    """Return an argparse type for whole numbers from `low` to `high`, without limit where that is None."""
    def number(text):
        value = int(text)
        if value < low or (high is not None and value > high):
            raise argparse.ArgumentTypeError('{} is not {}'.format(
                text, '{} or more'.format(low) if high is None else 'from {} to {}'.format(low, high)))
        return value
    number.__name__ = 'whole number'  # what argparse calls it in its messages
    return number


def above_zero(text):
    """Argparse type: a finite number above 0."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError('{} is not above 0'.format(text))
    return value


above_zero.__name__ = 'number'  # what argparse calls it in its messages


def add_alias(parser, flag, dest, **settings):
    """Add another name of an option, as it was called before, which the help does not show."""
    parser.add_argument(flag, dest=dest, default=argparse.SUPPRESS, help=argparse.SUPPRESS, **settings)


def add_model(parser, default):
    """Add --model."""
    parser.add_argument('--model', metavar='MODEL', default=default,
                        help='name of `espnet-ros models list`, model card (.yaml) or weights file '
                        '(default: %(default)s)')


def add_size(parser, what='of the network input', word='card', default='that of the model card'):
    """Add --size, and its two sides as they were called before; word: its value by default, which default explains."""
    parser.add_argument('--size', metavar='WxH', type=size_or(word), default=word,
                        help='{} in pixels, WIDTHxHEIGHT (default: {})'.format(what, default))
    for side in ('width', 'height'):
        add_alias(parser, '--' + side, side, type=int)


def size_of(options):
    """Return (width, height) of `add_size`, 0 where it was not given."""
    width, height = (0, 0) if isinstance(options.size, str) else options.size
    return getattr(options, 'width', width), getattr(options, 'height', height)

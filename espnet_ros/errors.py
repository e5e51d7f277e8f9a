"""The exceptions a user can meet; each message names what was found, where, and what to do."""
import difflib


class EspnetError(Exception):
    """A mistake in what was handed to this package: one sentence, fit to print without a traceback."""


class ParameterError(EspnetError):
    """A setting has a wrong name, type or range."""


class LabelError(EspnetError):
    """A label set or a label image does not say what it must."""


class ImageError(EspnetError):
    """A frame or image message cannot be read as an image."""


class SourceError(EspnetError):
    """A camera, video or folder of images cannot be opened or read."""


class ModelError(EspnetError):
    """A model card or weights file is missing, damaged, hostile or does not fit."""


class EngineError(EspnetError):
    """A network cannot be executed the way it was asked for on this machine."""


def suggestion(word, known):
    """Return '; did you mean ...?' with the known words that are similar, '' without any."""
    near = difflib.get_close_matches(word, known, 2, 0.6)
    return '; did you mean {}?'.format(' or '.join(near)) if near else ''


def quoted(value):
    """Foreign text fit for a message: quoted, on one line, ASCII, not long."""
    text = str(value)
    return ascii(text if len(text) <= 100 else text[:100] + '...')


def printable(text):
    """Text fit for a terminal: on one line, without control characters, which could move its cursor or worse."""
    return ''.join(c if c.isprintable() else '?' for c in ' '.join(str(text).split()))


def one_line(text):
    """Foreign text fit for the middle of a message: `printable`, not long."""
    return printable(text)[:300]

"""What the pages of evaluations and comparisons share."""
import base64
import math


def environment():
    """Return the Jinja environment of this package's templates, which escapes everything that is filled in."""
    import jinja2  # here, so that commands that write no page start fast
    found = jinja2.Environment(loader=jinja2.PackageLoader('espnet_ros.reports'), autoescape=True,
                               undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    found.filters.update(percent=percent, milliseconds=milliseconds, data_uri=data_uri,
                         color='rgb({0[0]} {0[1]} {0[2]})'.format,
                         stamp=lambda ns: '{}.{:09d}'.format(*divmod(ns, 10**9)))
    return found


def percent(value):
    """Return a share of 1 as text: 68.68; a dash where it is None or NaN."""
    return '–' if value is None or math.isnan(value) else '{:.2f}'.format(100 * value)


def milliseconds(seconds):
    """Return seconds as text in ms; a dash where they are None or NaN."""
    return '–' if seconds is None or math.isnan(seconds) else '{:.1f}'.format(1000 * seconds)


def data_uri(picture):
    """Return a picture, (media type, bytes), as a data URI."""
    return 'data:{};base64,{}'.format(picture[0], base64.b64encode(picture[1]).decode())


def unique(items):
    """Return the distinct items of an iterable in the order of their first occurrence; they need not be hashable."""
    found: list = []
    for item in items:
        if item not in found:
            found.append(item)
    return found

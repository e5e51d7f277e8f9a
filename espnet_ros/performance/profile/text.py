"""Reading what another program wrote."""


def read_text(path):
    """Return the text of a file, '' if there is none."""
    try:
        with open(path, errors='replace') as stream:
            return stream.read()
    except OSError:
        return ''

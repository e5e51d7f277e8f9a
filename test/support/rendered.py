"""What rich prints, as text."""
import io

from rich.console import Console


def rendered(renderable, width=80):
    """Return the text of a rich renderable on a terminal of that width, without colors."""
    stream = io.StringIO()
    Console(file=stream, width=width, markup=False, highlight=False).print(renderable)
    return stream.getvalue()

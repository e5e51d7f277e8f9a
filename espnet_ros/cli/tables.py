"""Tables on standard output."""
import sys

from rich.console import Console
from rich.table import Table


def print_table(columns, rows, left=1):
    """Print rows of texts under the titles `columns`; the first `left` columns are aligned left, the others right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, title in enumerate(columns):
        table.add_column(title, justify='left' if number < left else 'right', overflow='fold')
    for row in rows:
        table.add_row(*row)
    # In a file or pipe nothing is wrapped.
    width = None if sys.stdout.isatty() else 1000
    Console(width=width, markup=False, highlight=False, emoji=False).print(table)

"""Tables for terminals, by rich."""
from rich import box
from rich.table import Table


def table(columns, rows, left=1, title=None):
    """Return a rich Table of rows of text and numbers; the first `left` columns are text and shortened to fit."""
    made = Table(title=title, title_justify='left', title_style='bold', box=box.SIMPLE_HEAD, pad_edge=False,
                 show_edge=False)
    for index, column in enumerate(columns):
        if index < left:
            made.add_column(column, overflow='ellipsis')
        else:
            made.add_column(column, justify='right', no_wrap=True)
    for row in rows:
        made.add_row(*map(_cell, row))
    return made


def _cell(value):
    if isinstance(value, float):
        return '{:.0f}'.format(value) if abs(value) >= 1000 else '{:.2f}'.format(value)
    return str(value)

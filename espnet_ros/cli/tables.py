"""Tables on standard output."""
import shutil
import sys
import textwrap

NARROWEST = 10
"""Characters that a column of texts keeps in a narrow terminal."""


def print_table(columns, rows, left=1, notes=()):
    """Print rows of texts under the titles `columns`; the first `left` columns are aligned left, the others right.

    notes: a sentence about each row; in a terminal below it, else in one more column. A terminal's width is kept: the
    widest text columns are folded. In a file or pipe each row is one line.
    """
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print('\n'.join(table_lines(columns, rows, left, notes, width)))


def table_lines(columns, rows, left=1, notes=(), width=None):
    """Return the lines of a table; width: of the terminal, None to fold nothing. The rest is as for `print_table`."""
    sizes = [max(1, *map(len, texts)) for texts in zip(columns, *rows)]
    while width and sum(sizes) + 2 * (len(sizes) - 1) > width:
        widest = max(range(left), key=lambda number: sizes[number])
        if sizes[widest] <= NARROWEST:
            break
        sizes[widest] -= 1
    lines = []
    for number, row in enumerate([columns, *rows]):
        parts = [textwrap.wrap(text, size) or [''] for text, size in zip(row, sizes)]
        for at in range(max(map(len, parts))):
            cells = [part[at] if at < len(part) else '' for part in parts]
            lines.append('  '.join('{:{}{}}'.format(text, '<' if i < left else '>', size)
                                   for i, (text, size) in enumerate(zip(cells, sizes))).rstrip())
        note = notes[number - 1] if number and notes else ''
        if note and width:
            lines += textwrap.wrap(note, width, initial_indent=4 * ' ', subsequent_indent=4 * ' ')
        elif note:
            lines[-1] += '  ' + note
    return lines

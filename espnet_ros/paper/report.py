"""Outcomes as files."""
import collections
import csv
import io
import json
import pathlib

from espnet_ros.files import write_file
from espnet_ros.paper import plots
from espnet_ros.paper.outcomes import ORDER

PAGE, DATA, TABLE, TABLES = 'report.html', 'report.json', 'report.csv', 'report.md'
COLUMNS = ('item', 'network', 'quantity', 'unit', 'paper', 'ours', 'difference', 'status', 'note')


def cells(outcome):
    """Return a dict from COLUMNS to text, '' where there is nothing to say."""
    row = outcome.row
    difference = outcome.difference
    return {
        'item': row.item, 'network': row.subject, 'quantity': row.column, 'unit': row.quantity.unit,
        'paper': row.printed, 'ours': '' if outcome.ours is None else ('{:+.2f}' if row.quantity.name == ORDER else
                                                                       '{:.4g}').format(outcome.ours),
        'difference': '' if difference is None or row.relation in '<>' else '{:+.1%}'.format(difference),
        'status': outcome.status, 'note': outcome.note}


def write(folder, items, outcomes, wrong, machine):
    """Write PAGE, DATA and TABLE; older ones stay whole until the new ones are complete. Raises ModelError.

    items: expected.Item; wrong: sentences about counts that are off; machine: (name, text) pairs.
    """
    folder = pathlib.Path(folder)
    rows = [cells(outcome) for outcome in outcomes]
    write_file(folder / DATA, json.dumps({
        'machine': dict(machine), 'wrong': wrong, 'rows': [
            dict(row, ours=outcome.ours, difference=outcome.difference, source=outcome.row.source)
            for row, outcome in zip(rows, outcomes, strict=True)]}, indent=1, ensure_ascii=False).encode())
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    write_file(folder / TABLE, stream.getvalue().encode())
    import jinja2
    template = jinja2.Environment(autoescape=True, loader=jinja2.FileSystemLoader(
        pathlib.Path(__file__).parent)).get_template(PAGE)
    try:
        drawn = plots.draw([outcome for outcome in outcomes if outcome.row.quantity.name != ORDER])
    except ImportError:
        drawn = []
    totals = collections.Counter(outcome.status for outcome in outcomes).most_common()
    write_file(folder / PAGE, template.render(
        totals=totals, wrong=wrong, machine=machine, plots=drawn,
        items=[(item, [row for row in rows if row['item'] == item.name]) for item in items]).encode())

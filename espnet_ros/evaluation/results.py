"""Results of a finished evaluation as files: metrics.json, confusion.csv."""
import csv
import io
import json

from espnet_ros.files import write_file

METRICS, CONFUSION = 'metrics.json', 'confusion.csv'


def write_results(folder, metrics, statistics):
    """Write the files of results. Raises EspnetError.

    folder: pathlib.Path. metrics: plain data. statistics: Statistics of all records.
    """
    write_file(folder / METRICS, (json.dumps(metrics, indent=1) + '\n').encode())
    write_file(folder / CONFUSION, confusion_csv(statistics).encode())


def confusion_csv(statistics):
    """Return the confusion matrix as text: ground truth in rows, prediction in columns, in pixels."""
    names = [*statistics.label_set.names, 'unlabeled']
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['truth/prediction', *names])
    writer.writerows([name, *row] for name, row in zip(names, statistics.confusion.tolist()))
    return text.getvalue()

"""The paper's plots, drawn again from its numbers and ours, as SVG."""
import io

from espnet_ros.network import configure
from espnet_ros.paper.counts import parameters
from espnet_ros.paper.speed import REFERENCE


def draw(outcomes):
    """Return a list of (title, SVG text); those without numbers are left out. Raises ImportError without matplotlib."""
    tables: dict = {}
    for outcome in outcomes:
        row = outcome.row
        tables.setdefault(row.item, {}).setdefault(row.subject, {})[row.column] = outcome
    plots = []
    for item, title, score in (('fig-5', 'Fig. 5: modules inside ESPNet-C, Cityscapes validation', 'class mIOU'),
                               ('fig-6', 'Fig. 6: networks, Cityscapes test', 'category mIOU')):
        if item in tables:
            plots.append((title, _accuracy(tables[item], score)))
            plots.append((title + ': speed', _speed(tables[item])))
    if 'fig-6' in tables:
        plots.append(('Fig. 6: power and speed on a TitanX', _power(tables['fig-6'])))
    if 'table-2e' in tables:
        plots.append(('Table 2e: width divider K', _scatter(tables['table-2e'], 'parameters', 'class mIOU')))
    plots.append(('Fig. 9: depth multipliers (our counts)', _depth()))
    return plots


def _axes(**labels):
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6))
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    axes.set(**labels)
    return figure, axes


def _svg(figure):
    stream = io.StringIO()
    figure.savefig(stream, format='svg', bbox_inches='tight', metadata={'Date': None})
    text = stream.getvalue()
    return text[text.index('<svg'):]


def _points(axes, points):
    for name, x, y in points:
        axes.plot([x], [y], 'o', color='#1f6f8b' if name.startswith(('ESP', REFERENCE)) else '#888888')
        axes.annotate(name, (x, y), textcoords='offset points', xytext=(5, 3), fontsize=7)


def _accuracy(table, score):
    figure, axes = _axes(xlabel='parameters (M, ours)', ylabel=score + ' (%, paper)', xscale='log')
    _points(axes, [(name, cells['parameters'].ours, cells[score].row.value) for name, cells in table.items()])
    return _svg(figure)


def _scatter(table, x, y):
    figure, axes = _axes(xlabel=x + ' (M, ours)', ylabel=y + ' (%, paper)')
    _points(axes, [(name, cells[x].ours, cells[y].row.value) for name, cells in table.items()])
    return _svg(figure)


def _speed(table):
    figure, axes = _axes(ylabel='frames a second over ESPNet\'s', yscale='log')
    names = list(table)
    base = table.get(REFERENCE, table.get('ESP'))['frames']
    paper = [table[name]['frames'].row.value / base.row.value for name in names]
    axes.bar([i - 0.2 for i in range(len(names))], paper, 0.4, label='paper', color='#888888')
    if base.ours:
        ours = [(table[name]['frames'].ours or float('nan')) / base.ours for name in names]
        axes.bar([i + 0.2 for i in range(len(names))], ours, 0.4, label='this machine', color='#1f6f8b')
    axes.set_xticks(range(len(names)), names, rotation=30, fontsize=7)
    axes.axhline(1, color='black', linewidth=0.5)
    axes.legend(fontsize=7)
    return _svg(figure)


def _power(table):
    figure, axes = _axes(xlabel='frames a second (paper)', ylabel='power (W, paper)', xscale='log')
    _points(axes, [(name, cells['frames'].row.value, cells['power'].row.value) for name, cells in table.items()])
    return _svg(figure)


def _depth():
    figure, axes = _axes(xlabel='alpha3', ylabel='parameters (M)')
    for alpha2 in (1, 2, 4, 8):
        depths = range(2, 11)
        counts = [parameters(configure('espnet', {'variant': 'espnet-c', 'alpha2': alpha2, 'alpha3': alpha3})) / 1e6
                  for alpha3 in depths]
        axes.plot(depths, counts, marker='o', label='alpha2 = {}'.format(alpha2))
    axes.legend(fontsize=7)
    return _svg(figure)

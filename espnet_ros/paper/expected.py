"""Every number that the paper prints, read from expected.yaml."""
import pathlib
import re
import typing

from espnet_ros.errors import ParameterError
from espnet_ros.files import read_yaml
from espnet_ros.network import configure

FILE = pathlib.Path(__file__).with_name('expected.yaml')
LEVELS = ('counts', 'speed', 'train', 'full')
ENGINES = ('torch', 'openvino')
"""In which speed is measured."""
SIZE = (1024, 512)
"""Width and height of the network's input unless a row says otherwise (section 4.1)."""


class Quantity(typing.NamedTuple):
    """What a number measures.

    level: of LEVELS, the lowest that measures it. tolerance, plotted: relative, of numbers that are printed and of
    those read off a plot.
    """

    name: str
    unit: str
    level: str
    tolerance: float
    plotted: float
    text: str


class Network(typing.NamedTuple):
    """A network of the paper. architecture: its configuration; parameters: exact number, from its publication."""

    name: str
    architecture: typing.Any
    parameters: int


class Row(typing.NamedTuple):
    """One number of the paper.

    item: table or figure, such as 'table-2e'. subject: network or module. network: Network, None where this package has
    it not. column: what the paper calls the number. value: as printed. relation: '=', or '~' for a value read off a
    plot, '<' and '>' for a bound. other: name of the network that a ratio is to. size: width and height of the input.
    needs: what this machine would need; '' when nothing. fixed: whether no other machine can stand in.
    """

    item: str
    subject: str
    network: Network | None
    column: str
    quantity: Quantity
    value: float
    relation: str
    source: str
    other: str = ''
    size: tuple[int, int] = SIZE
    needs: str = ''
    fixed: bool = False

    @property
    def key(self):
        """Names the row in results."""
        return '{}/{}/{}'.format(self.item, self.subject, self.column)

    @property
    def printed(self):
        """The paper's number as text."""
        sign = {'=': '', '~': '≈'}.get(self.relation, self.relation)
        return '{}{:.10g}'.format(sign, self.value)

    def fits(self, ours):
        """Return whether our number is the paper's within the tolerance."""
        if self.relation in '<>':
            return ours < self.value if self.relation == '<' else ours > self.value
        tolerance = self.quantity.plotted if self.relation == '~' else self.quantity.tolerance
        return abs(ours - self.value) <= tolerance * abs(self.value) + 1e-9


class Item(typing.NamedTuple):
    """A table or figure. rows: of it, none where the paper draws without printing numbers."""

    name: str
    title: str
    source: str
    rows: tuple[Row, ...]


class Expected(typing.NamedTuple):
    """All that the paper says: items, the networks that this package builds, and quantities, each by name."""

    items: dict[str, Item]
    networks: dict[str, Network]
    quantities: dict[str, Quantity]

    def choose(self, names):
        """Return the Items of those names, all for none. Raises ParameterError."""
        unknown = [name for name in names if name not in self.items]
        if unknown:
            raise ParameterError("the paper has no item '{}'; there are {}".format(unknown[0], ', '.join(self.items)))
        return [item for name, item in self.items.items() if not names or name in names]


def read_expected(path=FILE):
    """Return the Expected numbers. Raises ParameterError when the file is damaged."""
    data = read_yaml(str(path), 'the numbers of the paper', ParameterError)
    quantities = {name: Quantity(name, **fields) for name, fields in data['quantities'].items()}
    networks = {}
    for name, fields in data['networks'].items():
        architecture = dict(fields['architecture'])
        networks[name] = Network(name, configure(architecture.pop('family'), architecture), fields['parameters'])
    items = {}
    for name, fields in data['items'].items():
        needs = data['needs'][fields['needs']] if 'needs' in fields else ''
        rows = []
        for subject, values in fields.get('rows', {}).items():
            for (column, kind), value in zip(fields['columns'].items(), values, strict=True):
                if value is None:
                    continue
                kind = {'quantity': kind} if isinstance(kind, str) else kind
                quantity = quantities[kind['quantity']]
                relation, number = _parse(value)
                rows.append(Row(
                    name, subject, networks.get(subject), column, quantity, number, relation, fields['source'],
                    kind.get('other', ''), tuple(kind.get('size', SIZE)), needs, fields.get('fixed', False)))
        items[name] = Item(name, fields['title'], fields['source'], tuple(rows))
    return Expected(items, networks, quantities)


def _parse(value):
    """Return (relation, number) of a number as the file writes it."""
    match = re.match(r'([≈<>]?)([0-9.]+)\Z', str(value))
    if not match:
        raise ParameterError('a number of the paper is written {!r}'.format(value))
    return {'': '=', '≈': '~'}.get(match.group(1), match.group(1)), float(match.group(2))

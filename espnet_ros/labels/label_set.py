"""Label sets, which name the classes behind the ids of label images, and their plain-data form."""
import reprlib
import typing

from espnet_ros.errors import LabelError
from espnet_ros.files import read_yaml

if typing.TYPE_CHECKING:
    import numpy as np  # commands start without it

UNLABELED = 255
"""Id of a pixel without a class, in every label image of this package."""

CATEGORIES = ('void', 'flat', 'construction', 'object', 'nature', 'sky', 'human', 'vehicle')
"""Cityscapes category names; the index is the categoryId."""

CATEGORY_COLORS = (
    (0, 0, 0), (128, 64, 128), (70, 70, 70), (153, 153, 153), (107, 142, 35), (70, 130, 180), (220, 20, 60),
    (0, 0, 142))
"""RGB color of each category: that of its most frequent Cityscapes class."""


class LabelClass(typing.NamedTuple):
    """One class: `id` 0..254, `name`, `category` (Cityscapes categoryId, 0 = none), `color` (R, G, B)."""

    id: int
    name: str
    category: int
    color: typing.Tuple[int, int, int]


class LabelSet(typing.NamedTuple):
    """The classes of a model. Ids are unique and ascending; 255 always means unlabeled."""

    name: str
    classes: typing.Tuple[LabelClass, ...]

    @property
    def names(self) -> typing.Tuple[str, ...]:
        """Class names, in the order of `classes`."""
        return tuple(c.name for c in self.classes)

    @property
    def ids(self) -> typing.Tuple[int, ...]:
        """Class ids, in the order of `classes`."""
        return tuple(c.id for c in self.classes)

    @property
    def meaning(self):
        """What makes label sets the same classes: (id, name, category) of each, whatever their colors."""
        return tuple((c.id, c.name, c.category) for c in self.classes)

    @property
    def without_category(self):
        """Names of the classes that have no Cityscapes category."""
        return tuple(c.name for c in self.classes if c.category == 0)

    def palette(self) -> 'np.ndarray':
        """RGB color of every id: uint8 [256, 3], black where the id has no class."""
        import numpy as np  # here and below, so that commands which only list labels start fast
        table = np.zeros((256, 3), np.uint8)
        for c in self.classes:
            table[c.id] = c.color
        return table

    def category_table(self) -> 'np.ndarray':
        """Cityscapes categoryId of every id: uint8 [256], 0 (void) where the id has no class."""
        import numpy as np
        table = np.zeros(256, np.uint8)
        for c in self.classes:
            table[c.id] = c.category
        return table


def load_label_set(path: str) -> LabelSet:
    """Read a label set from a YAML file. Raises LabelError.

    The file holds `name` and `classes`, a list of `{id, name, category, color}`; `category` is the name of a
    Cityscapes category and may be left out, `color` is [R, G, B] with 0..255.
    """
    data = read_yaml(path, 'the label set', LabelError)
    return label_set_from_dict(data, str(path))


def label_set_from_dict(data: typing.Any, where: str = 'label set') -> LabelSet:
    """Check a label set given as plain data (see `load_label_set`) and return it. Raises LabelError."""
    if not isinstance(data, dict) or set(data) != {'name', 'classes'}:
        raise LabelError('{}: a label set has exactly the keys name and classes'.format(where))
    if not isinstance(data['name'], str) or not data['name']:
        raise LabelError('{}: name must be a non-empty string, not {}'.format(where, reprlib.repr(data['name'])))
    if not isinstance(data['classes'], list) or not data['classes']:
        raise LabelError('{}: classes must be a list with at least one class'.format(where))
    classes = [_label_class(entry, where) for entry in data['classes']]
    for field in ('id', 'name'):
        values = [getattr(c, field) for c in classes]
        twice = sorted({v for v in values if values.count(v) > 1})
        if twice:
            raise LabelError('{}: two classes share the {} {}'.format(where, field, reprlib.repr(twice[0])))
    return LabelSet(data['name'], tuple(sorted(classes, key=lambda c: c.id)))


def label_set_to_dict(label_set: LabelSet) -> typing.Dict[str, typing.Any]:
    """Return the label set as plain data, the inverse of `label_set_from_dict`."""
    return {'name': label_set.name, 'classes': [
        {'id': c.id, 'name': c.name, 'category': CATEGORIES[c.category], 'color': list(c.color)}
        for c in label_set.classes]}


def _is_byte(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255


def _label_class(entry, where):
    if not isinstance(entry, dict):
        raise LabelError('{}: a class is a mapping with id, name, category and color, not {}'.format(
            where, reprlib.repr(entry)))
    unknown = set(entry) - {'id', 'name', 'category', 'color'}
    if unknown:
        raise LabelError('{}: a class has no key {}'.format(where, reprlib.repr(sorted(map(str, unknown))[0])))
    if not _is_byte(entry.get('id')) or entry['id'] == UNLABELED:
        raise LabelError('{}: class id {} must be an integer 0..254 (255 means unlabeled)'.format(
            where, reprlib.repr(entry.get('id'))))
    if not isinstance(entry.get('name'), str) or not entry['name']:
        raise LabelError('{}: class {} needs a name'.format(where, entry['id']))
    category = entry.get('category', 'void')
    if category not in CATEGORIES:
        raise LabelError('{}: class {} has category {}; it must be one of {}'.format(
            where, reprlib.repr(entry['name']), reprlib.repr(category), ', '.join(CATEGORIES)))
    color = entry.get('color')
    if not isinstance(color, list) or len(color) != 3 or not all(_is_byte(v) for v in color):
        raise LabelError('{}: class {} needs a color [R, G, B] of integers 0..255, not {}'.format(
            where, reprlib.repr(entry['name']), reprlib.repr(color)))
    return LabelClass(entry['id'], entry['name'], CATEGORIES.index(category), tuple(color))

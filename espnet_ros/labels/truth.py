"""Ground truth images in various encodings, decoded to the class ids of one label set."""
import functools
import pathlib
import reprlib
import typing

import cv2
import numpy as np

from espnet_ros.errors import LabelError
from espnet_ros.files import read_yaml
from espnet_ros.labels import (
    CAMVID,
    CATEGORY_SET,
    CITYSCAPES,
    CITYSCAPES_LABELS,
    LABEL_SETS,
    UNLABELED,
    LabelSet,
    cityscapes_to_camvid,
    get_label_set,
    label_id_to_train_id,
    label_set_from_dict,
)

KINDS = ('ids', 'labelIds', 'trainIds', 'camvid', 'categoryIds', 'color')
"""Built-in encodings; any other kind is the path of a mapping file."""


class GroundTruth(typing.NamedTuple):
    """How the pixels of label images encode classes.

    label_set: the classes. table: uint8 [256], the class id of each value, 255 where unlabeled. known:
    bool [256], the values that may occur. colors: class id (or 255) by color (R, G, B); empty if color images are
    not accepted. rest: whether colors that are not listed are unlabeled as well.
    """

    label_set: LabelSet
    table: np.ndarray
    known: np.ndarray
    colors: typing.Dict[typing.Tuple[int, int, int], int]
    rest: bool = False

    def decode(self, pixels, name):
        """Return class ids, uint8 [H, W] with 255 = unlabeled.

        pixels: integers [H, W], or BGR uint8 [H, W, 3]. name: of the image, for errors. Raises LabelError if they
        hold an undefined value or color.
        """
        return self._decode_colors(pixels, name) if pixels.ndim == 3 else self._decode_values(pixels, name)

    def _decode_values(self, pixels, name):
        if not self.known.any():
            raise LabelError('{} holds values, but the labels of {} are colors'.format(name, self.label_set.name))
        if pixels.dtype != np.uint8:
            outside = (pixels < 0) | (pixels > 255)
            if outside.any():
                raise self._unknown(name, 'value', int(pixels[outside][0]), int(outside.sum()))
            pixels = pixels.astype(np.uint8)
        counts = np.bincount(pixels.ravel(), minlength=256)
        wrong = np.flatnonzero(counts * ~self.known)
        if wrong.size:
            raise self._unknown(name, 'value', int(wrong[0]), int(counts[wrong[0]]))
        return self.table[pixels]

    def _decode_colors(self, pixels, name):
        if not self.colors:
            raise LabelError('{} is a color image, but the labels of {} are values'.format(name, self.label_set.name))
        ids = _color_table(tuple(self.colors.items()), self.rest)[_packed(*cv2.split(pixels))]
        wrong = ids < 0
        if wrong.any():
            color = tuple(pixels[wrong][0, ::-1].tolist())
            raise self._unknown(name, 'color (R, G, B)', color, int((pixels == color[::-1]).all(2).sum()))
        return ids.astype(np.uint8)

    def _unknown(self, name, what, value, count):
        return LabelError('{} holds the {} {} in {} pixels, which is no class of {}'.format(
            name, what, value, count, self.label_set.name))


def ground_truth(kind, label_set=None):
    """Return the GroundTruth of one of KINDS or of a mapping file (see `read_mapping`). Raises LabelError.

    label_set: to convert to; None for the encoding's own set, which is CITYSCAPES for labelIds and trainIds. ids and
    color need it: they are the set's own ids (255 = unlabeled) and its palette (black = unlabeled).
    """
    if kind not in KINDS:
        return translated(read_mapping(kind), label_set)
    if kind in ('ids', 'color') and label_set is None:
        raise LabelError("ground truth '{}' needs a label set, one of {} or a YAML file".format(
            kind, ', '.join(sorted(LABEL_SETS))))
    return translated(_ENCODINGS[kind](label_set), label_set)


def translated(truth, label_set):
    """Return `truth` converted to `label_set`, or unchanged if that is None. Raises LabelError."""
    if label_set is None or label_set == truth.label_set:
        return truth
    table = label_table(truth.label_set, label_set)
    return truth._replace(label_set=label_set, table=table[truth.table],
                          colors={color: int(table[i]) for color, i in truth.colors.items()})


def label_table(source, target):
    """Return the table from ids of one label set to ids of another: uint8 [256], 255 where there is no counterpart.

    Any set can be converted to the Cityscapes categories (CATEGORY_SET), Cityscapes to CamVid. Raises LabelError for
    others.
    """
    table = np.full(256, UNLABELED, np.uint8)
    if source == target:
        table[list(source.ids)] = source.ids
    elif target == CATEGORY_SET:
        for c in source.classes:
            table[c.id] = c.category or UNLABELED
    elif (source, target) == (CITYSCAPES, CAMVID):
        table = cityscapes_to_camvid()
    else:
        raise LabelError("labels of the set '{}' cannot be converted to '{}'; compare categories, or write a mapping "
                         'file'.format(source.name, target.name))
    return table


def read_mapping(path):
    """Return the GroundTruth in a mapping file. Raises LabelError.

    The YAML file holds `label_set` (a name, a YAML file in the same folder, or the set itself), `classes`, from class
    names to lists of values 0..255 or colors [R, G, B], and optionally `unlabeled`, a list of what has no class, and
    `rest: unlabeled` for everything that is not listed.
    """
    where = "the mapping file '{}'".format(path)
    data = read_yaml(path, 'the mapping file', LabelError)
    if not isinstance(data, dict) or not {'label_set', 'classes'} <= set(data) <= _MAPPING_KEYS:
        raise LabelError('{} must have the keys label_set and classes, and may have unlabeled and rest'.format(where))
    if data.get('rest', 'unlabeled') != 'unlabeled':
        raise LabelError('{}: rest can only be unlabeled, or be left out'.format(where))
    if not isinstance(data['classes'], dict):
        raise LabelError('{}: classes maps class names to lists of values or colors'.format(where))
    label_set = _mapped_set(data['label_set'], path, where)
    ids = dict(zip(label_set.names, label_set.ids))
    table, known, colors = np.full(256, UNLABELED, np.uint8), np.zeros(256, bool), {}
    for name, entries in [*data['classes'].items(), (None, data.get('unlabeled', []))]:
        if name is not None and name not in ids:
            raise LabelError('{}: {} has no class {!r}; it has {}'.format(
                where, label_set.name, name, ', '.join(label_set.names)))
        if not isinstance(entries, list):
            raise LabelError('{}: {} takes a list, [7] or [[128, 64, 128]]'.format(where, name or 'unlabeled'))
        for entry in entries:
            if _is_value(entry) and not known[entry]:
                table[entry], known[entry] = ids.get(name, UNLABELED), True
            elif _is_color(entry) and tuple(entry) not in colors:
                colors[tuple(entry)] = ids.get(name, UNLABELED)
            elif _is_value(entry) or _is_color(entry):
                raise LabelError('{}: {!r} is listed twice'.format(where, entry))
            else:
                raise LabelError('{}: {} is neither a value 0..255 nor a color [R, G, B]'.format(
                    where, reprlib.repr(entry)))
    if not known.any() and not colors:
        raise LabelError('{} lists no value and no color'.format(where))
    if 'rest' in data:
        known[:] = known.any()
    return GroundTruth(label_set, table, known, colors, 'rest' in data)


_MAPPING_KEYS = {'label_set', 'classes', 'unlabeled', 'rest'}


@functools.lru_cache(maxsize=2)
def _color_table(items, rest):
    """Return the ids of all 2 ** 24 colors: int16, -1 where a color is undefined."""
    table = np.full(1 << 24, UNLABELED if rest else -1, np.int16)
    for color, i in items:
        table[_packed(*np.array(color[::-1], np.uint8))] = i
    return table


def _packed(blue, green, red):
    return red.astype(np.uint32) << 16 | green.astype(np.uint32) << 8 | blue


def _is_value(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255


def _is_color(value):
    return isinstance(value, list) and len(value) == 3 and all(map(_is_value, value))


def _mapped_set(value, path, where):
    if isinstance(value, dict):
        return label_set_from_dict(value, where)
    if not isinstance(value, str):
        raise LabelError('{}: label_set is a name, a YAML file or the set itself'.format(where))
    is_file = value.endswith(('.yaml', '.yml'))
    return get_label_set(str(pathlib.Path(path).parent / value) if is_file else value)


def _own_ids(label_set):
    return _from_values(label_set, [*((i, i) for i in label_set.ids), (UNLABELED, UNLABELED)])


def _palette(label_set):
    """Colors of the classes; of Cityscapes also those that are not evaluated, pole groups have that of poles."""
    colors = {(0, 0, 0): UNLABELED}
    if label_set == CITYSCAPES:
        colors.update({row.color: row.train_id for row in reversed(CITYSCAPES_LABELS)})
    colors.update({c.color: c.id for c in label_set.classes})
    shared = len(label_set.classes) - len({c.color for c in label_set.classes})
    if shared:
        raise LabelError("classes of '{}' share a color; write a mapping file that defines each".format(label_set.name))
    return GroundTruth(label_set, np.full(256, UNLABELED, np.uint8), np.zeros(256, bool), colors)


def _from_values(label_set, pairs):
    """GroundTruth of (value, class id) pairs."""
    table, known = np.full(256, UNLABELED, np.uint8), np.zeros(256, bool)
    for value, i in pairs:
        table[value], known[value] = i, True
    return GroundTruth(label_set, table, known, {})


def _label_ids(_):
    values = [row.label_id for row in CITYSCAPES_LABELS] + [UNLABELED]  # the license plate's -1 is 255 in 8 bits
    return _from_values(CITYSCAPES, ((v, label_id_to_train_id()[v]) for v in values))


_ENCODINGS = {
    'ids': _own_ids,
    'labelIds': _label_ids,
    'trainIds': lambda _: _own_ids(CITYSCAPES),
    'camvid': lambda _: _from_values(CAMVID, [*zip(CAMVID.ids, CAMVID.ids), (11, UNLABELED), (255, UNLABELED)]),
    'categoryIds': lambda _: _from_values(
        CATEGORY_SET, [(0, UNLABELED), *zip(CATEGORY_SET.ids, CATEGORY_SET.ids), (255, UNLABELED)]),
    'color': _palette,
}

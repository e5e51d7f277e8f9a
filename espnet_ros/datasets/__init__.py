"""Labeled images from folders, slides, bags and the synthetic street."""
import importlib
import re

from espnet_ros.errors import SourceError

_HOMES = {
    'espnet_ros.datasets.base': ('Dataset', 'FileDataset', 'LabeledImage', 'Memory', 'Pair', 'read_labels'),
    'espnet_ros.datasets.readers': ('camvid', 'cityscapes', 'folder', 'mapillary', 'voc'),
    'espnet_ros.datasets.slides': ('TISSUES', 'SlideTiles'),
    'espnet_ros.datasets.synthetic': ('Drive', 'Streets'),
    'espnet_ros.labels.truth': ('KINDS', 'GroundTruth', 'ground_truth', 'label_table', 'read_mapping'),
    'espnet_ros.labels.voc': ('VOC',)}
"""Modules and the names of theirs that this package has, too: imported when used, so that commands start fast."""

SPECS = """\
camvid:FOLDER:SPLIT        train or val in FOLDER/SPLIT and
                           FOLDER/SPLITannot
cityscapes:FOLDER:SPLIT    train or val below FOLDER/leftImg8bit and
                           FOLDER/gtFine
mapillary:FOLDER:SPLIT     training or validation, in the 7 Cityscapes
                           categories
voc:FOLDER:SPLIT           a list of FOLDER/ImageSets/Segmentation: val, or
                           trainaug with SBD
wsi:SLIDES:LABELS[:MAP]    tiles of whole-slide images; labels are slides of
                           ids 0..7, or as MAP says
folder:IMAGES:LABELS:MAP   two folders; MAP: a mapping file (.yaml),
                           labelIds, trainIds, camvid or categoryIds
street:COUNT[:WxH[:SEED]]  synthetic images, each of a different street
drive:COUNT[:WxH[:SEED]]   synthetic images of one street at 10 Hz
bag:PATH                   the frames of a bag that have ground truth"""
"""How a dataset is written on a command line or in a YAML file."""


def __getattr__(name):
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError('module {} has no attribute {}'.format(__name__, name))


def open_dataset(spec):
    """Return the Dataset that a text such as 'camvid:/data/camvid:val' names (see SPECS).

    Raises SourceError, LabelError or ParameterError.
    """
    kind, *arguments = str(spec).split(':')
    arguments = [':'.join(arguments)] if kind == 'bag' else arguments  # a path may hold colons
    if kind not in _OPENERS:
        raise SourceError("'{}' is not a dataset; it must begin with {}, as in camvid:/data/camvid:val".format(
            spec, ', '.join(_OPENERS)))
    form, opener = _OPENERS[kind]
    if len(arguments) not in form or not all(arguments):
        usage = next(line for line in SPECS.splitlines() if line.startswith(kind)).split('  ')[0]
        raise SourceError("the dataset '{}' does not have the form {}".format(spec, usage))
    return opener(*arguments)


def is_spec(text):
    """Return whether a text begins as a dataset does (see SPECS)."""
    return str(text).partition(':')[0] in _OPENERS and ':' in str(text)


def _files(kind):
    return lambda *arguments: __getattr__(kind)(*arguments)


def _bag(path):
    from espnet_ros.datasets.recordings import BagDataset  # needs the package rosbags, other datasets do not
    return BagDataset(path)


def _synthetic(kind):
    def opener(count, size='1024x512', seed='0'):
        if not (re.fullmatch('[0-9]{1,7}', count) and re.fullmatch('[0-9]{1,5}x[0-9]{1,5}', size)
                and re.fullmatch('[0-9]{1,18}', seed)):
            raise SourceError("'{}:{}:{}' is not COUNT:WIDTHxHEIGHT:SEED, such as 100:640x480:7".format(
                count, size, seed))
        width, height = map(int, size.split('x'))
        return __getattr__(kind)(int(count), width, height, int(seed))
    return opener


_OPENERS = {
    **{kind: ((2,), _files(kind)) for kind in ('camvid', 'cityscapes', 'mapillary', 'voc')},
    'wsi': ((2, 3), _files('SlideTiles')), 'folder': ((3,), _files('folder')),
    'street': ((1, 2, 3), _synthetic('Streets')), 'drive': ((1, 2, 3), _synthetic('Drive')), 'bag': ((1,), _bag)}

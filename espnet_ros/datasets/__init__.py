"""Labeled images from folders, slides, bags and the synthetic street."""
import re

from espnet_ros.datasets.base import Dataset, FileDataset, LabeledImage, Memory, Pair, read_labels
from espnet_ros.datasets.readers import camvid, cityscapes, folder, mapillary, voc
from espnet_ros.datasets.slides import TISSUES, SlideTiles
from espnet_ros.datasets.synthetic import Drive, Streets
from espnet_ros.errors import SourceError
from espnet_ros.labels.truth import KINDS, GroundTruth, ground_truth, label_table, read_mapping
from espnet_ros.labels.voc import VOC

__all__ = ['KINDS', 'SPECS', 'TISSUES', 'VOC', 'Dataset', 'Drive', 'FileDataset', 'GroundTruth', 'LabeledImage',
           'Memory', 'Pair', 'SlideTiles', 'Streets', 'camvid', 'cityscapes', 'folder', 'ground_truth', 'is_spec',
           'label_table', 'mapillary', 'open_dataset', 'read_labels', 'read_mapping', 'voc']

SPECS = """\
camvid:FOLDER:SPLIT        train or val in FOLDER/SPLIT and FOLDER/SPLITannot
cityscapes:FOLDER:SPLIT    train or val below FOLDER/leftImg8bit and FOLDER/gtFine
mapillary:FOLDER:SPLIT     training or validation; labels are mapped to the 7 Cityscapes categories
voc:FOLDER:SPLIT           a list of FOLDER/ImageSets/Segmentation: val, or trainaug with SBD
wsi:SLIDES:LABELS[:MAP]    tiles of whole-slide images; labels are slides of ids 0..7, or as MAP says
folder:IMAGES:LABELS:MAP   two folders; MAP is a mapping file (.yaml), labelIds, trainIds, camvid or categoryIds
street:COUNT[:WxH[:SEED]]  synthetic images, each of a different street
drive:COUNT[:WxH[:SEED]]   synthetic images of one street at 10 Hz
bag:PATH                   the frames of a bag that have ground truth"""
"""How a dataset is written on a command line or in a YAML file."""


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
        return kind(int(count), width, height, int(seed))
    return opener


_OPENERS = {
    'camvid': ((2,), camvid), 'cityscapes': ((2,), cityscapes), 'mapillary': ((2,), mapillary), 'voc': ((2,), voc),
    'wsi': ((2, 3), SlideTiles), 'folder': ((3,), folder), 'street': ((1, 2, 3), _synthetic(Streets)),
    'drive': ((1, 2, 3), _synthetic(Drive)), 'bag': ((1,), _bag)}

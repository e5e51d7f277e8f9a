"""Readers of datasets in their published folder layouts, and of pairs of folders."""
import collections
import json
import operator
import os
import pathlib

import numpy as np

from espnet_ros.datasets.base import FileDataset, Pair
from espnet_ros.errors import LabelError, SourceError
from espnet_ros.images.limits import IMAGE_SUFFIXES
from espnet_ros.labels import CATEGORIES, CATEGORY_SET, UNLABELED
from espnet_ros.labels.truth import GroundTruth, ground_truth
from espnet_ros.labels.voc import VOC


def camvid(folder, split):
    """Return CamVid's `split`: images in folder/split, ids with 11 = unlabeled in folder/splitannot.

    Raises SourceError; so do all functions here.
    """
    images = _files(pathlib.Path(folder) / split, '*.png')
    labels = pathlib.Path(folder) / (split + 'annot')
    return FileDataset('camvid {}'.format(split), [Pair(p.stem, p, labels / p.name) for p in images],
                       ground_truth('camvid'))


def cityscapes(folder, split):
    """Return Cityscapes' `split`: images in leftImg8bit/split/city, fine labels in gtFine/split/city.

    labelIds are read; where the first image has none, labelTrainIds. Labels are trainIds. instanceIds are read, too,
    of the images that have them.
    """
    images = _files(pathlib.Path(folder) / 'leftImg8bit' / split, '*/*_leftImg8bit.png')
    labels = pathlib.Path(folder) / 'gtFine' / split
    stems = [p.name[:-len('_leftImg8bit.png')] for p in images]

    def labels_of(i, kind):
        return labels / images[i].parent.name / '{}_gtFine_{}.png'.format(stems[i], kind)

    kind = 'labelTrainIds' if labels_of(0, 'labelTrainIds').is_file() and not labels_of(0, 'labelIds').is_file() else \
        'labelIds'
    instances = [path if path.is_file() else None for path in (labels_of(i, 'instanceIds') for i in range(len(stems)))]
    pairs = [Pair(stem, images[i], labels_of(i, kind), instances[i]) for i, stem in enumerate(stems)]
    return FileDataset('cityscapes {}'.format(split), pairs,
                       ground_truth('labelIds' if kind == 'labelIds' else 'trainIds'))


def mapillary(folder, split):
    """Return Mapillary Vistas' `split` ('training', 'validation'), its classes mapped to the 7 Cityscapes categories.

    That is how the paper tests on unseen data (section 4.3). Version 1.1, 1.2 or 2.0; the colors of the label images
    are looked up in the dataset's own config*.json.
    """
    folder = pathlib.Path(folder)
    version = next((v for v in ('v1.2', 'v2.0', '') if (folder / split / v / 'labels').is_dir()), '')
    configs = [folder / name for name in (version and 'config_{}.json'.format(version), 'config.json') if name]
    config = next((path for path in configs if path.is_file()), None)
    if config is None:
        raise SourceError("'{}' is missing; the folder of Mapillary Vistas holds it, training and validation".format(
            configs[0]))
    images = _files(folder / split / 'images', '*.jpg')
    labels = folder / split / version / 'labels'
    return FileDataset('mapillary {}'.format(split), [Pair(p.stem, p, labels / (p.stem + '.png')) for p in images],
                       _mapillary_truth(config))


def voc(folder, split):
    """Return PASCAL VOC's `split` (a list in ImageSets/Segmentation) from a folder such as VOCdevkit/VOC2012.

    Background is a class with id 0; the border between objects (color 224, 224, 192, or value 255) is unlabeled. A
    split whose name ends with `aug`, such as trainaug or train_aug, has its labels in SegmentationClassAug: the 10,582
    images of VOC and SBD (Hariharan et al., 2011) with which the networks of the paper's table 1c were trained. Its
    list has a name on each line, or the paths of an image and of its labels.
    """
    folder = pathlib.Path(folder)
    path = folder / 'ImageSets' / 'Segmentation' / (split + '.txt')
    labels = folder / ('SegmentationClassAug' if split.endswith('aug') else 'SegmentationClass')
    try:
        lines = path.read_text(encoding='ascii').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError("cannot read '{}': {}".format(path, getattr(error, 'strerror', None) or error))
    images = [pathlib.PurePosixPath(line.split()[0]) for line in lines if line.strip()]
    names = [path.stem if path.suffix == '.jpg' else path.name for path in images]
    colors = {c.color: c.id for c in VOC.classes}
    colors[224, 224, 192] = UNLABELED
    truth = ground_truth('ids', VOC)._replace(colors=colors)  # as published they have a palette; ids were made of them
    pairs = [Pair(n, folder / 'JPEGImages' / (n + '.jpg'), labels / (n + '.png')) for n in names]
    return FileDataset('voc {}'.format(split), pairs, truth)


def folder(images, labels, mapping):
    """Return the images of one folder with the PNG label images of the same stem in another.

    mapping: one of truth.KINDS that names its label set, such as labelIds, or the path of a mapping file
    (truth.read_mapping). Images without labels and labels without image are refused.
    """
    images, labels = pathlib.Path(images), pathlib.Path(labels)
    truth = ground_truth(mapping)
    files = [p for p in _files(images, '*') if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith('.')]
    pairs = [Pair(p.stem, p, labels / (p.stem + '.png')) for p in files]
    dataset = FileDataset("'{}'".format(images), pairs, truth)
    stem, count = collections.Counter(pair.name for pair in pairs).most_common(1)[0]
    if count > 1:
        raise SourceError("'{}' holds several images called {}; their labels would be one file".format(images, stem))
    names = {name for name in os.listdir(labels) if name.endswith('.png')}
    alone = sorted(names - {pair.labels.name for pair in pairs})
    if alone:
        raise SourceError("{} label images in '{}' have no image in '{}'; the first is {}".format(
            len(alone), labels, images, alone[0]))
    return dataset


def _files(folder, pattern):
    """Files that match, sorted by path; SourceError when there are none."""
    found = sorted((p for p in folder.glob(pattern) if p.is_file()), key=operator.attrgetter('parts'))
    if not found:
        raise SourceError("'{}' holds no {} files; is the path right?".format(folder, pattern) if folder.is_dir()
                          else "there is no folder '{}'; is the path right?".format(folder))
    return found


def _mapillary_truth(config):
    try:
        entries = json.loads(config.read_bytes())['labels']
        rows = [(i, tuple(int(v) for v in e['color']), e['name']) for i, e in enumerate(entries)]
        if not rows or any(len(color) != 3 for _, color, _ in rows) or len(rows) > 256:
            raise ValueError('its labels are not as in Mapillary Vistas')
        ids = [mapillary_category(name) for _, _, name in rows]
    except (OSError, ValueError, TypeError, KeyError, RecursionError, AttributeError) as error:
        raise LabelError("'{}' is no configuration of Mapillary Vistas: {}".format(config, ascii(str(error))))
    table, known, colors = np.full(256, UNLABELED, np.uint8), np.zeros(256, bool), {}
    for (value, color, name), i in zip(rows, ids):
        if colors.setdefault(color, i) != i:
            raise LabelError("'{}': {} shares its color with a label of another category".format(config, name))
        table[value], known[value] = i, True
    return GroundTruth(CATEGORY_SET, table, known, colors)


# The first prefix that fits decides. Where Mapillary's own groups differ from Cityscapes', Cityscapes' definitions do:
# curbs belong to the sidewalk and markings to the road; animals are dynamic, that is void.
_MAPILLARY_CATEGORIES = (
    ('construction--flat--', 'flat'), ('construction--barrier--curb', 'flat'), ('marking--', 'flat'),
    ('marking-only--', 'flat'), ('construction--', 'construction'), ('object--vehicle--', 'vehicle'),
    ('object--', 'object'), ('nature--sky', 'sky'), ('nature--', 'nature'), ('human--', 'human'), ('', 'void'))


def mapillary_category(name):
    """Return the Cityscapes categoryId of a Mapillary label such as 'human--rider--bicyclist'; 255 for none."""
    category = next(category for prefix, category in _MAPILLARY_CATEGORIES if name.startswith(prefix))
    return CATEGORIES.index(category) or UNLABELED

"""Datasets as their publishers lay them out: pairs, ids, and the file that is wrong."""
import json
import pathlib
import pickle
import time

import cv2
import numpy as np
import pytest

from espnet_ros.datasets import VOC, camvid, cityscapes, folder, mapillary, open_dataset, readers, voc
from espnet_ros.datasets.readers import mapillary_category
from espnet_ros.errors import LabelError, SourceError
from espnet_ros.labels import CAMVID, CATEGORIES, CATEGORY_SET, CITYSCAPES, UNLABELED

IMAGE = np.random.default_rng(3).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def write_palette(path, indices, palette):
    """A PNG with a palette (RGB rows), as VOC and Mapillary publish labels; OpenCV cannot write one."""
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    height, width = indices.shape
    rows = b''.join(b'\0' + line.tobytes() for line in indices.astype(np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 3, 0, 0, 0))
                     + chunk(b'PLTE', np.asarray(palette, np.uint8).tobytes()) + chunk(b'IDAT', zlib.compress(rows))
                     + chunk(b'IEND', b''))


@pytest.fixture
def camvid_folder(tmp_path):
    for name in ('b', 'a'):
        write(tmp_path / 'val' / (name + '.png'), IMAGE)
        write(tmp_path / 'valannot' / (name + '.png'), np.arange(48, dtype=np.uint8).reshape(6, 8) % 12)
    return tmp_path


def test_a_folder_of_many_images_is_listed_in_linear_time(tmp_path, monkeypatch):
    names = ['{:06d}.png'.format(number) for number in range(20000)]
    monkeypatch.setattr(readers, '_files', lambda folder, pattern: [folder / name for name in names])
    monkeypatch.setattr(pathlib.Path, 'is_file', lambda path: True)
    monkeypatch.setattr(readers.os, 'listdir', lambda folder: names)
    began = time.process_time()  # of this process alone, whatever else the machine does
    assert len(folder(tmp_path / 'images', tmp_path / 'labels', 'trainIds')) == 20000
    assert time.process_time() - began < 3.0  # 0.2 s on an AMD EPYC; 24 s while it was quadratic


def test_camvid(camvid_folder):
    dataset = camvid(camvid_folder, 'val')
    assert (len(dataset), dataset.name, dataset.label_set) == (2, 'camvid val', CAMVID)
    assert [item.name for item in dataset] == ['a', 'b'] and dataset[-1].name == 'b'
    np.testing.assert_array_equal(dataset[0].image, IMAGE)
    assert dataset[0].labels.ravel()[:13].tolist() == [*range(11), UNLABELED, 0] and dataset[0].labels.dtype == np.uint8
    assert pickle.loads(pickle.dumps(dataset))[1].name == 'b'
    for i in (2, -3):
        with pytest.raises(IndexError, match='camvid val has 2 images, none has number'):
            dataset[i]


def test_what_is_wrong_is_named(camvid_folder):
    image, labels = camvid_folder / 'val' / 'a.png', camvid_folder / 'valannot' / 'a.png'
    dataset = camvid(camvid_folder, 'val')
    write(labels, np.zeros((6, 9), np.uint8))
    with pytest.raises(LabelError, match="'.*valannot/a.png' is 9x6 pixels, but its image '.*val/a.png' is 8x6"):
        dataset[0]
    write(labels, np.full((6, 8), 12, np.uint8))
    with pytest.raises(LabelError, match="the label image '.*valannot/a.png' holds the value 12 in 48 pixels"):
        dataset[0]
    write(labels, np.zeros((6, 8, 3), np.uint8))
    with pytest.raises(LabelError, match="the label image '.*valannot/a.png' is a color image, but the labels of "
                                         'camvid are values'):
        dataset[0]
    for content in (b'', b'no image', cv2.imencode('.jpg', IMAGE)[1].tobytes(),
                    cv2.imencode('.png', np.zeros((6, 8), np.uint8))[1].tobytes()[:-3]):
        labels.write_bytes(content)
        with pytest.raises(LabelError, match="the label image '.*valannot/a.png' cannot be used: "):
            dataset[0]
    labels.unlink()
    with pytest.raises(SourceError, match="cannot read '.*valannot/a.png': No such file"):
        dataset[0]
    with pytest.raises(SourceError, match="1 of 2 images of camvid val have no labels; the first, '.*val/a.png', "
                                          "lacks '.*valannot/a.png'"):
        camvid(camvid_folder, 'val')
    write(labels, np.zeros((6, 8), np.uint8))
    image.write_bytes(b'')
    with pytest.raises(SourceError, match='val/a.png'):
        dataset[0]
    with pytest.raises(SourceError, match="there is no folder '.*train'; is the path right"):
        camvid(camvid_folder, 'train')
    (camvid_folder / 'train').mkdir()
    with pytest.raises(SourceError, match=r"'.*train' holds no \*.png files"):
        camvid(camvid_folder, 'train')


def test_camvid_on_the_real_data(shared):
    dataset = open_dataset('camvid:{}:val'.format(shared / 'data' / 'camvid'))
    assert len(dataset) == 101
    counts = sum(np.bincount(item.labels.ravel(), minlength=256) for item in dataset)
    confusion = np.loadtxt(str(shared / 'golden' / 'camvid_val_confusion_q8.csv'), delimiter=',', dtype=np.int64)
    assert counts[:11].tolist() == confusion.sum(1)[:11].tolist() and counts[UNLABELED] == confusion[11].sum()


def test_cityscapes(tmp_path):
    for city in ('ulm', 'bonn'):
        stem = '{}_000001_000019'.format(city)
        write(tmp_path / 'leftImg8bit' / 'val' / city / (stem + '_leftImg8bit.png'), IMAGE)
        write(tmp_path / 'gtFine' / 'val' / city / (stem + '_gtFine_labelTrainIds.png'), np.full((6, 8), 10, np.uint8))
    dataset = cityscapes(tmp_path, 'val')
    assert [item.name for item in dataset] == ['bonn_000001_000019', 'ulm_000001_000019']
    assert dataset.label_set == CITYSCAPES and (dataset[1].labels == 10).all()
    ids = np.array([[0, 7, 26, 9, 33, 3, 11, 23]] * 6, np.uint8)
    write(tmp_path / 'gtFine' / 'val' / 'bonn' / 'bonn_000001_000019_gtFine_labelIds.png', ids)
    with pytest.raises(SourceError, match="1 of 2 images of cityscapes val have no labels; .*_gtFine_labelIds.png'"):
        cityscapes(tmp_path, 'val')
    write(tmp_path / 'gtFine' / 'val' / 'ulm' / 'ulm_000001_000019_gtFine_labelIds.png', ids)
    assert cityscapes(tmp_path, 'val')[0].labels[0].tolist() == [255, 0, 13, 255, 18, 255, 2, 10]


MAPILLARY = [
    ('animal--bird', 'void'), ('construction--barrier--curb', 'flat'), ('construction--barrier--wall', 'construction'),
    ('construction--flat--road', 'flat'), ('construction--flat--curb-cut', 'flat'),
    ('construction--structure--bridge', 'construction'), ('human--person', 'human'),
    ('human--rider--motorcyclist', 'human'), ('marking--crosswalk-zebra', 'flat'), ('marking-only--general', 'flat'),
    ('nature--sky', 'sky'), ('nature--terrain', 'nature'), ('nature--water', 'nature'), ('object--bench', 'object'),
    ('object--support--utility-pole', 'object'), ('object--traffic-sign--front', 'object'),
    ('object--vehicle--bicycle', 'vehicle'), ('object--vehicle--on-rails', 'vehicle'), ('void--car-mount', 'void'),
    ('void--unlabeled', 'void')]


@pytest.mark.parametrize('name, category', MAPILLARY)
def test_mapillary_categories(name, category):
    assert mapillary_category(name) == (CATEGORIES.index(category) or UNLABELED)


@pytest.mark.parametrize('version, config', [('', 'config.json'), ('v1.2', 'config_v1.2.json'),
                                             ('v2.0', 'config_v2.0.json'), ('v1.2', 'config.json')])
def test_mapillary(tmp_path, version, config):
    colors = [[10 * i, 5, 200 - i] for i in range(len(MAPILLARY))]
    (tmp_path / config).write_text(json.dumps({'labels': [
        {'color': color, 'name': name, 'readable': name, 'instances': True, 'evaluate': True}
        for color, (name, _) in zip(colors, MAPILLARY)], 'version': '1'}))
    indices = np.arange(20).reshape(4, 5)
    write(tmp_path / 'validation' / 'images' / 'x.jpg', IMAGE[:4, :5])
    write_palette(tmp_path / 'validation' / version / 'labels' / 'x.png', indices, colors)
    dataset = open_dataset('mapillary:{}:validation'.format(tmp_path))
    expected = [CATEGORIES.index(category) or UNLABELED for _, category in MAPILLARY]
    assert dataset.label_set == CATEGORY_SET and dataset[0].labels.ravel().tolist() == expected
    write(tmp_path / 'validation' / version / 'labels' / 'x.png', indices.astype(np.uint8))  # indices as values
    assert dataset[0].labels.ravel().tolist() == expected
    (tmp_path / config).unlink()
    with pytest.raises(SourceError, match='config.*json. is missing; the folder of Mapillary Vistas holds it'):
        mapillary(tmp_path, 'validation')


@pytest.mark.parametrize('text', [
    '', '{}', '{"labels": []}', '{"labels": [{"color": [1, 2], "name": "x"}]}', '{"labels": [{"name": "x"}]}', '[1]',
    '{"labels": [{"color": [1, 2, 3], "name": 4}]}', '[' * 100000,
    '{"labels": [{"color": [1, 2, 3], "name": "nature--sky"}, {"color": [1, 2, 3], "name": "human--person"}]}'])
def test_a_damaged_mapillary_configuration(tmp_path, text):
    (tmp_path / 'config.json').write_text(text)
    write(tmp_path / 'training' / 'images' / 'x.jpg', IMAGE)
    with pytest.raises(LabelError, match="'.*config.json'"):
        mapillary(tmp_path, 'training')


def test_voc(tmp_path):
    assert [c.color for c in VOC.classes[:5]] == [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128)]
    assert VOC.classes[15].name == 'person' and VOC.classes[15].color == (192, 128, 128)
    palette = np.zeros((256, 3), np.uint8)
    palette[:21] = [c.color for c in VOC.classes]
    palette[255] = 224, 224, 192
    indices = np.array([[0, 15, 20, 255]])
    (tmp_path / 'ImageSets' / 'Segmentation').mkdir(parents=True)
    (tmp_path / 'ImageSets' / 'Segmentation' / 'val.txt').write_text('2007_2\n2007_1\n')
    for name in ('2007_1', '2007_2'):
        write(tmp_path / 'JPEGImages' / (name + '.jpg'), IMAGE[:1, :4])
        write_palette(tmp_path / 'SegmentationClass' / (name + '.png'), indices, palette)
    dataset = voc(tmp_path, 'val')
    assert [item.name for item in dataset] == ['2007_2', '2007_1'] and dataset.label_set == VOC
    assert dataset[0].labels.tolist() == indices.tolist()
    with pytest.raises(SourceError, match="cannot read '.*train.txt'"):
        voc(tmp_path, 'train')


def test_voc_with_sbd(tmp_path):
    lists = tmp_path / 'ImageSets' / 'Segmentation'
    lists.mkdir(parents=True)
    (lists / 'trainaug.txt').write_text('2008_2\n2011_003255\n')
    (lists / 'train_aug.txt').write_text('/JPEGImages/2011_003255.jpg /SegmentationClassAug/2011_003255.png\n\n')
    indices = np.array([[0, 15, 20, 255]], np.uint8)
    for name in ('2008_2', '2011_003255'):
        write(tmp_path / 'JPEGImages' / (name + '.jpg'), IMAGE[:1, :4])
        write(tmp_path / 'SegmentationClassAug' / (name + '.png'), indices)  # values instead of a palette
    dataset = open_dataset('voc:{}:trainaug'.format(tmp_path))
    assert [item.name for item in dataset] == ['2008_2', '2011_003255'] and dataset.label_set == VOC
    assert dataset[1].labels.tolist() == indices.tolist()
    assert [item.name for item in open_dataset('voc:{}:train_aug'.format(tmp_path))] == ['2011_003255']
    (lists / 'train.txt').write_text('2008_2\n')
    with pytest.raises(SourceError, match="1 of 1 images of voc train have no labels; .*SegmentationClass/2008_2.png'"):
        voc(tmp_path, 'train')


def test_folder(tmp_path):
    (tmp_path / 'map.yaml').write_text('label_set: camvid\nclasses: {Road: [7], Sky: [[9, 8, 7]]}')
    write(tmp_path / 'images' / 'a.jpg', IMAGE)
    write(tmp_path / 'images' / 'b.png', IMAGE)
    (tmp_path / 'images' / 'notes.txt').write_text('')
    write(tmp_path / 'labels' / 'a.png', np.full((6, 8), 7, np.uint8))
    write(tmp_path / 'labels' / 'b.png', np.full((6, 8, 3), (7, 8, 9), np.uint8))
    spec = 'folder:{0}/images:{0}/labels:{0}/map.yaml'.format(tmp_path)
    first, second = open_dataset(spec)
    assert (first.labels == 3).all() and (second.labels == 0).all() and (first.name, second.name) == ('a', 'b')
    write(tmp_path / 'labels' / 'c.png', np.zeros((6, 8), np.uint8))
    with pytest.raises(SourceError, match="1 label images in '.*labels' have no image in '.*images'; the first is c"):
        open_dataset(spec)
    write(tmp_path / 'images' / 'c.png', IMAGE)
    write(tmp_path / 'images' / 'c.jpg', IMAGE)
    with pytest.raises(SourceError, match='holds several images called c'):
        open_dataset(spec)
    (tmp_path / 'labels' / 'c.png').unlink()
    with pytest.raises(SourceError, match='2 of 4 images of .* have no labels'):
        folder(tmp_path / 'images', tmp_path / 'labels', 'labelIds')


@pytest.mark.parametrize('spec, sentence', [
    ('', "'' is not a dataset; it must begin with camvid, cityscapes"),
    ('coco:/x', "'coco:/x' is not a dataset"),
    ('camvid:/x', "the dataset 'camvid:/x' does not have the form camvid:FOLDER:SPLIT"),
    ('camvid::val', 'does not have the form camvid:FOLDER:SPLIT'),
    ('folder:/a:/b', 'does not have the form folder:IMAGES:LABELS:MAP'),
    ('street', r'does not have the form street:COUNT\[:WxH\[:SEED\]\]'),
    ('street:x', 'is not COUNT:WIDTHxHEIGHT:SEED'),
    ('drive:5:640:3', 'is not COUNT:WIDTHxHEIGHT:SEED'),
    ('drive:5:640x480:-3', 'is not COUNT:WIDTHxHEIGHT:SEED')])
def test_specs_that_name_nothing(spec, sentence):
    with pytest.raises(SourceError, match=sentence):
        open_dataset(spec)

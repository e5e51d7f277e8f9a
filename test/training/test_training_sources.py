"""Datasets with weights as given on the command line."""
import numpy as np
import pytest
from small_samples import SIZE, camvid_files, dataset

from espnet_ros.bags.writer import BagSettings, write_bag
from espnet_ros.datasets import Streets
from espnet_ros.errors import ParameterError, SourceError
from espnet_ros.labels import CAMVID, CITYSCAPES
from espnet_ros.training.loading import read_all
from espnet_ros.training.samples import PreparedDataset
from espnet_ros.training.sources import open_source


@pytest.mark.parametrize('text, weight', [
    ('street:3:96x64:5', 1.0), ('street:3:96x64:5@0.5', 0.5), ('street:3:96x64:5@3', 3.0),
    ('street:3:96x64:5@1e3', 1000.0)])
def test_a_weight_stands_behind_a_dataset(text, weight):
    found, given = open_source(text)
    assert isinstance(found, Streets) and (found.name, len(found), given) == ('street seed 5', 3, weight)


def test_an_at_sign_may_be_part_of_a_path(tmp_path):
    camvid_files(tmp_path / 'a@b')
    for suffix, weight in (('', 1.0), ('@2', 2.0)):
        found, given = open_source('camvid:{}:train{}'.format(tmp_path / 'a@b', suffix))
        assert (len(found), found.label_set, given) == (3, CAMVID, weight)


@pytest.mark.parametrize('text, error, message', [
    ('street:3@0', ParameterError, "the weight in 'street:3@0' must be above 0 and at most 1000"),
    ('street:3@-1', ParameterError, 'must be above 0'), ('street:3@1001', ParameterError, 'at most 1000'),
    ('street:3@nan', SourceError, "'3@nan:1024x512:0' is not COUNT"), ('street:3@', SourceError, 'is not COUNT'),
    ('', SourceError, "'' is not a dataset"), ('@2', SourceError, "'' is not a dataset"),
    ('camvid:nowhere:train@2', SourceError, "there is no folder 'nowhere/train'"),
    ('bag:', SourceError, "'bag:' does not have the form bag:PATH"),
    ('bag:nowhere', SourceError, "'nowhere' is not a bag")])
def test_a_wrong_dataset_is_named(text, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        open_source(text)


@pytest.mark.slow
def test_the_labeled_frames_of_a_bag(tmp_path):
    write_bag(tmp_path / 'bag', [dataset(count=4)], BagSettings(images='png'))
    found, weight = open_source('bag:{}@2'.format(tmp_path / 'bag'))
    assert (found.name, len(found), weight) == ("bag '{}'".format(tmp_path / 'bag'), 4, 2.0)
    names = [sample.name for sample in read_all(PreparedDataset(found, found.label_set, SIZE), workers=2)]
    assert names == ['{} of {}'.format(item.name, found.name) for item in found]


def test_bags_of_cityscapes_become_camvid(tmp_path):
    write_bag(tmp_path / 'bag', [Streets(2, 96, 64)])
    samples = PreparedDataset(open_source('bag:{}'.format(tmp_path / 'bag'))[0], CAMVID, SIZE)
    assert samples.dataset.label_set == CITYSCAPES
    np.testing.assert_array_equal(samples[1].labels, PreparedDataset(Streets(2, 96, 64), CAMVID, SIZE)[1].labels)

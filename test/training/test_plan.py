"""The plan of a training, and the errors of unusable data."""
import numpy as np
import pytest
import torch
from small_models import CARD, CONFIG
from small_samples import ALONE, SIZE, blocks, camvid_files, dataset, model_file, settings

from espnet_ros import models
from espnet_ros.datasets import Memory, Streets
from espnet_ros.errors import LabelError, ModelError, ParameterError
from espnet_ros.labels import CAMVID, CATEGORY_SET, CITYSCAPES, LabelClass, LabelSet, label_set_to_dict
from espnet_ros.network import NetworkConfig
from espnet_ros.training.loading import Part, Stage
from espnet_ros.training.plan import default_name, make_plan
from espnet_ros.training.process_group import ProcessGroup
from espnet_ros.training.survey import class_weights
from espnet_ros.training.transfer import Pretrained


def plan(changes=None, sources=None, validation=(), **others):
    return make_plan(settings(**(changes or {})), sources or [(dataset(), 1.0)], list(validation), ALONE, **others)


def pixels(*datasets):
    return sum(np.bincount(np.concatenate([item.labels for item in d], None), minlength=256) for d in datasets)


def test_the_classes_are_those_of_the_first_dataset():
    found = plan()
    assert found.label_set == CAMVID and found.card.outputs == tuple(range(11))
    assert found.card.architecture == NetworkConfig(classes=11, alpha2=1, alpha3=1, width_divider=2)
    assert (found.card.input_width, found.card.input_height) == SIZE
    assert (found.card.name, found.card.weights) == ('camvid-espnet-q1', 'camvid-espnet-q1.pth')
    assert [(part.samples.name, part.weight) for part in found.parts] == [('blocks', 1.0)] and found.validation == ()


def test_the_classes_are_those_that_the_settings_name():
    found = plan({'labels': 'categories'}, [(dataset(), 1.0), (Streets(2, 96, 64), 2.0)], [dataset('held out')])
    assert found.label_set == CATEGORY_SET and found.card.outputs == CATEGORY_SET.ids == (1, 2, 3, 4, 5, 6, 7)
    assert found.card.architecture.classes == len(found.class_weights) == 7
    assert found.validation[0].name == 'held out' and found.validation[0][0].labels.max() < 7
    assert found.card.name == 'categories-espnet-q1'


def test_more_outputs_than_classes_stand_for_nothing():
    found = plan({'outputs': 13})
    assert found.card.architecture.classes == 13 and found.card.outputs == (*range(11), 255, 255)
    assert len(found.class_weights) == 11


def test_labels_that_do_not_fit():
    with pytest.raises(LabelError, match="labels of the set 'camvid' cannot be converted to 'cityscapes'"):
        plan(sources=[(Streets(2, 96, 64), 1.0), (dataset(), 1.0)])
    with pytest.raises(LabelError, match="labels of the set 'camvid' cannot be converted to 'cityscapes'"):
        plan(sources=[(Streets(2, 96, 64), 1.0)], validation=[dataset()])
    with pytest.raises(LabelError, match="no label set is called 'camvod'"):
        plan({'labels': 'camvod'})


def test_class_weights_count_pixels_by_weight():
    first, second = dataset('first', 3), dataset('second', 2, first=50)
    found = plan(sources=[(first, 1.0), (second, 3.0)])
    counts = (pixels(first) + 3 * pixels(second))[:11]
    np.testing.assert_array_equal(found.class_weights, class_weights(counts, 1.1))
    np.testing.assert_array_equal(
        plan({'base_data': 'first', 'class_weight_constant': 1.5}, [(first, 1.0), (second, 3.0)]).class_weights,
        class_weights(pixels(first)[:11], 1.5))
    assert plan({'class_weights': 'none'}).class_weights.tolist() == [1.0] * 11


def test_the_normalization_is_that_of_the_images():
    first, second = dataset('first', 3), dataset('second', 2, first=50)
    card = plan({'base_data': 'first'}, [(first, 1.0), (second, 1.0)]).card
    seen = np.stack([item.image for item in first])[:, ::4, ::4].reshape(-1, 3)
    np.testing.assert_allclose(card.mean, seen.mean(0), atol=6e-4)
    np.testing.assert_allclose(card.std, seen.std(0), atol=6e-4)
    assert card.divisor == 1.0
    assert plan(sources=[(first, 1.0), (second, 1.0)]).card.mean != card.mean


def test_with_a_start_the_normalization_is_its_own(tmp_path):
    _, path = model_file(tmp_path / 'm')
    found = plan(start=Pretrained(models.find(str(path)), 'encoder'))
    assert (found.card.mean, found.card.std, found.card.divisor) == (CARD.mean, CARD.std, CARD.divisor)
    assert found.card.architecture.alpha3 == 1 and found.card.label_set == CAMVID


def test_two_stages():
    sources = [(dataset('first'), 1.0), (dataset('second'), 2.0)]
    encoder, whole = plan({'crop': (96, 64)}, sources).stages
    assert encoder == Stage(1, 'encoder', 1, whole.parts, (64, 64), 8)
    assert whole == Stage(2, 'espnet', 2, whole.parts, (96, 64), 1)
    assert [type(part) for part in whole.parts] == [Part, Part]
    encoder, whole = plan({'base_data': 'first'}, sources).stages
    assert encoder.parts == whole.parts[:1] and len(whole.parts) == 2


def test_one_stage():
    found = plan({'encoder_epochs': 0})
    whole, = found.stages
    assert whole.number == 2 and found.architecture(whole) == found.card.architecture


@pytest.mark.parametrize('variant, encoder, stride', [
    ('espnet', 'espnet-c', 1), ('espnet-c', 'espnet-c', 8), ('espnet-b', 'espnet-b', 8), ('espnet-a', 'espnet-a', 8)])
def test_the_encoder_is_trained_first(variant, encoder, stride):
    found = plan({'variant': variant})
    first, second = found.stages
    assert found.architecture(first) == found.card.architecture._replace(variant=encoder)
    assert found.architecture(second).variant == variant
    assert (first.label_stride, second.label_stride) == (8, stride)


def test_notes_count_the_images():
    found = plan(validation=[dataset('held out', 3)])
    assert [note.replace(', kept in memory', '') for note in found.notes if 'warning' not in note] == [
        'blocks: 4 images', 'held out: 3 images']


@pytest.mark.parametrize('device, sync, warning', [
    ('cpu', True, 'its own 1 to 2 images; PyTorch synchronizes batch normalization on GPUs only'),
    ('cuda', False, 'its own 1 to 2 images; sync_batch_norm is off'), ('cuda', True, None)])
def test_batch_statistics_per_process_are_warned_of(monkeypatch, device, sync, warning):
    monkeypatch.setattr('torch.distributed.broadcast_object_list', lambda *_, **__: None)  # there is no other process
    monkeypatch.setattr('torch.distributed.all_reduce', lambda _: None)
    monkeypatch.setattr('torch.distributed.all_gather_object', lambda values, value: values.__setitem__(
        slice(None), len(values) * [value]))
    monkeypatch.setattr(ProcessGroup, 'on_all', lambda self, action: action())
    notes = make_plan(settings(batch=3, sync_batch_norm=sync), [(dataset(), 1.0)], [],
                      ProcessGroup(0, 2, torch.device(device))).notes
    expected = [] if warning is None else ['warning: each process normalizes with the batch statistics of ' + warning]
    assert [note for note in notes if 'batch statistics' in note] == expected


def test_a_class_that_never_occurs_is_warned_of():
    data = Memory('few', CAMVID, [(image, np.where(np.isin(labels, (2, 7)), 255, labels).astype(np.uint8))
                                  for image, labels, _ in map(blocks, range(6))])
    warning, = (note for note in plan(sources=[(data, 1.0)]).notes if note.startswith('warning'))
    assert warning.startswith('warning: no training image has a pixel of Pole, Fence: ')
    every = plan(sources=[(data, 1.0), (dataset('all', 6), 1.0)])
    assert not [note for note in every.notes if note.startswith('warning')]


@pytest.mark.parametrize('changes, crop', [
    ({'crop': [128, 64]}, '128x64'), ({'encoder_crop': [96, 128], 'encoder_epochs': 1}, '96x128'),
    ({'encoder_crop': [96, 128], 'encoder_epochs': 0}, None)])
def test_crops_larger_than_the_images_are_warned_of(changes, crop):
    found = [note for note in plan(changes).notes if 'crops' in note]
    assert [note.partition(' are mostly empty')[0] for note in found] == (
        ['warning: crops of {} from images of {}x{}'.format(crop, *SIZE)] if crop else [])


def test_a_dataset_without_labels_is_refused():
    nothing = Memory('nothing', CAMVID, 4 * [(blocks().image, np.full(SIZE[::-1], 255, np.uint8))])
    for sources, validation in (([(nothing, 1.0)], []), ([(dataset(), 1.0)], [nothing])):
        with pytest.raises(LabelError, match='nothing has no labeled pixel of camvid'):
            plan(sources=sources, validation=validation)


def test_memory_takes_what_there_is_room_for(monkeypatch):
    class Free:
        # Of which 0.4 may be used: 6 training images of 4 bytes a pixel and 4 float validation images of 13 bytes.
        available = (6 * 4 + 4 * 13) * 96 * 64 * 2.5 + 1

    monkeypatch.setattr('psutil.virtual_memory', lambda: Free)
    found = plan(sources=[(dataset('six', 6), 1.0), (dataset('many', 14), 1.0)], validation=[dataset('four', 4)])
    assert [part.samples.is_kept for part in found.parts] == [True, False] and found.validation[0].is_kept
    assert [note.endswith(', kept in memory') for note in found.notes[:3]] == [True, False, True]
    shared = make_plan(settings(), [(dataset('ten', 10), 1.0)], [dataset('two', 2)], ALONE._replace(local_size=2))
    assert not shared.parts[0].samples.is_kept and shared.validation[0].is_kept


@pytest.mark.parametrize('changes, sources, message', [
    ({'batch': 5}, [(dataset(), 1.0)], 'an epoch has 4 images, too few for a batch of 5'),
    ({'batch': 4, 'base_data': 'first'}, [(dataset(), 0.5), (dataset('more', 9), 1.0)], 'an epoch has 2 images, too'),
    ({}, [(dataset(), 1.0), (dataset('more'), 0.1)], 'with weight 0.1 an epoch has none of the 4 images of more'),
    ({'outputs': 3}, [(dataset(), 1.0)], 'outputs is 3, too few for 11 classes')])
def test_too_little_is_refused(changes, sources, message):
    with pytest.raises(ParameterError, match=message):
        plan(changes, sources)


def test_nothing_to_train_on():
    with pytest.raises(ParameterError, match='there is nothing to train on; name datasets with --data'):
        make_plan(settings(), [], [dataset()], ALONE)


def test_two_datasets_of_one_name_have_one_result():
    with pytest.raises(ParameterError, match='two validation datasets are called twice$'):
        plan(validation=[dataset('once'), dataset('twice'), dataset('twice', 3)])


@pytest.mark.slow
def test_unusable_images_are_named(tmp_path):
    files = camvid_files(tmp_path / 'camvid')
    files.pairs[1].labels.unlink()
    with pytest.raises(LabelError, match="^1 of 3 images of camvid train cannot be used:\ncannot read '.*001.png'"):
        plan(sources=[(files, 1.0)], workers=2)


@pytest.mark.parametrize('name', ['Mine', 'a b', '../x', '-', 200 * 'x', 'ü'])
def test_a_wrong_name(name):
    with pytest.raises(ModelError, match='name .* must be up to 100 of a-z, 0-9, dot, dash and underscore'):
        plan(name=name)


def test_a_name_of_ones_own():
    assert (plan(name='mine_2.0').card.name, plan(name='mine_2.0').card.weights) == ('mine_2.0', 'mine_2.0.pth')


@pytest.mark.parametrize('label_set, name', [
    ('camvid', 'camvid-espnet-q1'), ('cityscapes', 'cityscapes-espnet-q1'),
    ('My Fruit (2)', 'my-fruit-2-espnet-q1'), ('日本', 'model-espnet-q1'),
    (150 * 'x', 60 * 'x' + '-espnet-q1'), ('...', 'model-espnet-q1')])
def test_a_default_name_is_a_name(label_set, name):
    labels = LabelSet(label_set, (LabelClass(3, 'apple', 4, (255, 0, 0)), LabelClass(9, 'pear', 4, (0, 255, 0))))
    data = Memory('fruit', labels, [(blocks().image, np.where(blocks().labels > 5, 3, 9).astype(np.uint8))] * 4)
    found = plan(sources=[(data, 1.0)])
    assert found.card.name == default_name(labels, found.settings) == name
    assert found.label_set == labels and found.card.outputs == (3, 9)


def test_the_identity_tells_trainings_apart(tmp_path):
    _, path = model_file(tmp_path / 'm', CONFIG)
    start = Pretrained(models.find(str(path)))
    base = plan(validation=[dataset('held out')])
    assert base.identity == plan(validation=[dataset('held out')]).identity
    assert base.identity['label set'] == label_set_to_dict(CAMVID) and base.identity['beginning'] == []
    others = [plan(validation=[dataset('other')]), plan(), plan({'epochs': 3}, validation=[dataset('held out')]),
              plan(sources=[(dataset(), 2.0)], validation=[dataset('held out')]),
              plan(sources=[(dataset(count=5), 1.0)], validation=[dataset('held out')]),
              plan(sources=[(dataset(first=9), 1.0)], validation=[dataset('held out')]),
              plan(validation=[dataset('held out')], name='mine'), plan(validation=[dataset('held out')], start=start),
              plan(validation=[dataset('held out')], start=start._replace(part='encoder'))]
    assert all(other.identity != base.identity for other in others)
    corrected = plan(sources=[(dataset(first=9), 1.0)], validation=[dataset('held out')], start=start)
    assert corrected.identity != others[-2].identity  # names, counts and normalization are the same
    assert others[-1].identity['beginning'] == [start.model.card.sha256, 'encoder']


def test_streets_beside_camvid_are_converted_to_its_classes():
    streets = Streets(2, 96, 64)
    found = plan({'base_data': 'first'}, [(dataset(), 1.0), (streets, 1.0)], [streets])
    assert streets.label_set == CITYSCAPES and found.label_set == CAMVID
    assert set(np.unique(found.parts[1].samples[0].labels)) <= {*range(11), 255}




def test_a_name_that_comes_with_this_package_is_left_to_it():
    assert default_name(CAMVID, settings(alpha3=8)) == 'own-camvid-espnet-q8'
    assert default_name(CITYSCAPES, settings(alpha3=8)) == 'own-cityscapes-espnet-q8'

"""Transfer of matching weights from another model; the other tensors stay random, with the reason."""
import pytest
import torch
from small_models import CARD, CONFIG, LABELS
from small_samples import model_file

from espnet_ros import models
from espnet_ros.errors import ModelError
from espnet_ros.labels import CAMVID, CITYSCAPES
from espnet_ros.network import NetworkConfig, build
from espnet_ros.training.transfer import Pretrained, Transferred, transfer

ENCODER = CONFIG._replace(variant='espnet-c')
OUTPUTS = CARD.outputs


def move(path, config, label_set=LABELS, outputs=OUTPUTS, part='all'):
    """Transfer the model at a path to a new network; return the network, what it was before, and the Transferred."""
    torch.manual_seed(1)
    network = build(config)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    return network, before, transfer(Pretrained(models.find(str(path)), part), network, label_set, outputs)


def check(source, found, prefix='', target_prefix='', rows=()):
    """Assert that exactly the copied tensors have the source's values and the others are unchanged."""
    network, before, transferred = found
    fresh = {name for names in transferred.random.values() for name in names}
    assert not fresh & set(transferred.copied)
    assert fresh | set(transferred.copied) == {target_prefix + name for name in before}
    values = {prefix + name: tensor for name, tensor in source.state_dict().items()}
    for name, tensor in network.state_dict().items():
        name = target_prefix + name
        if name not in rows:
            expected = values[name] if name in transferred.copied else before[name[len(target_prefix):]]
            assert torch.equal(tensor, expected)
    return transferred


def test_all_of_the_same_model(tmp_path):
    source, path = model_file(tmp_path / 'm')
    transferred = check(source, move(path, CONFIG))
    assert transferred.random == {} and str(transferred) == '{} tensors copied'.format(len(source.state_dict()))


def test_the_encoder_alone(tmp_path):
    source, path = model_file(tmp_path / 'm')
    transferred = check(source, move(path, CONFIG, part='encoder'))
    assert set(transferred.random) == {'not in the encoder'} and 'encoder.classifier.weight' in transferred.copied
    assert not any(name.startswith('encoder.') for name in transferred.random['not in the encoder'])


def test_other_classes_need_another_classifier_and_decoder(tmp_path):
    source, path = model_file(tmp_path / 'm')
    transferred = check(source, move(path, CONFIG._replace(classes=11), CAMVID, CAMVID.ids))
    assert set(transferred.random['different classes']) == {'encoder.classifier.weight', 'up1.weight'}
    counters = {name for name in source.state_dict() if name.endswith('num_batches_tracked')}
    decoder = {name for name in transferred.copied if not name.startswith('encoder.')}
    assert decoder <= counters | {'merge2.reduce.weight'}
    assert str(transferred).startswith('{} tensors copied; '.format(len(transferred.copied)))


def test_as_many_classes_are_not_the_same_ones(tmp_path):
    source, path = model_file(tmp_path / 'm')
    transferred = check(source, move(path, CONFIG, LABELS._replace(name='vegetables')))
    assert transferred.random == {'different classes': ('up1.weight',)}  # all else is only a good beginning


@pytest.mark.parametrize('outputs', [(2, 5, 255, 9), (2, 9), (9, 255, 2, 5, 255, 255)])
def test_the_same_classes_at_other_outputs_keep_their_rows_of_the_classifier(tmp_path, outputs):
    source, path = model_file(tmp_path / 'm')
    network, before, transferred = move(path, ENCODER._replace(classes=len(outputs)), outputs=outputs)
    assert transferred.random == {}
    for row, class_id in enumerate(outputs):
        expected = (before['classifier.weight'][row] if class_id == 255 else
                    source.encoder.classifier.weight[OUTPUTS.index(class_id)])
        assert torch.equal(network.classifier.weight[row], expected)


def test_other_classes_get_the_weights_of_the_classes_that_are_converted_to_them(tmp_path):
    source, path = model_file(tmp_path / 'm', CONFIG._replace(classes=20), label_set=CITYSCAPES,
                              outputs=(*CITYSCAPES.ids, 255))
    outputs = (*CAMVID.ids, *9 * (255,))
    network, before, transferred = move(path, CONFIG._replace(classes=20), CAMVID, outputs)
    assert transferred.random == {} and torch.equal(network.encoder.classifier.weight, source.encoder.classifier.weight)
    names = {'Sky': 'sky', 'Building': 'building', 'Pole': 'pole', 'Road': 'road', 'Pavement': 'sidewalk',
             'Tree': 'vegetation', 'SignSymbol': 'traffic light', 'Fence': 'fence', 'Car': 'car',
             'Pedestrian': 'person', 'Bicyclist': 'rider'}
    for row, camvid in enumerate(CAMVID.names):
        expected = source.up1.weight[:, CITYSCAPES.names.index(names[camvid])]
        assert torch.equal(network.up1.weight[:, row], expected), camvid
    assert torch.equal(network.up1.weight[:, 11:], before['up1.weight'][:, 11:])


def test_rows_of_another_width_do_not_fit(tmp_path):
    _, path = model_file(tmp_path / 'm', ENCODER._replace(variant='espnet-a'))
    _, _, transferred = move(path, ENCODER._replace(classes=2), outputs=(2, 9))
    assert 'encoder.classifier.weight' in transferred.random['different classes']


def test_an_encoder_becomes_part_of_the_whole(tmp_path):
    source, path = model_file(tmp_path / 'm', ENCODER)
    transferred = check(source, move(path, CONFIG), prefix='encoder.')
    assert set(transferred.copied) == {'encoder.' + name for name in source.state_dict()}
    assert set(transferred.random) == {'not in small'} and 'up1.weight' in transferred.random['not in small']
    transferred = check(source, move(path, CONFIG._replace(classes=11), CAMVID, CAMVID.ids), prefix='encoder.')
    assert transferred.random['different classes'] == ('encoder.classifier.weight',)


def test_the_whole_gives_its_encoder(tmp_path):
    source, path = model_file(tmp_path / 'm')
    transferred = check(source, move(path, ENCODER), target_prefix='encoder.')
    assert transferred.random == {}


def test_a_deeper_network_is_random_where_it_is_deeper(tmp_path):
    source, path = model_file(tmp_path / 'm')
    transferred = check(source, move(path, CONFIG._replace(alpha3=3)))
    assert set(transferred.random) == {'not in small'}
    assert {name.split('.')[2] for name in transferred.random['not in small']} == {'1', '2'}
    assert str(transferred).endswith('random, not in small: encoder.level3')


def test_a_shallower_network_leaves_the_rest(tmp_path):
    source, path = model_file(tmp_path / 'm', CONFIG._replace(alpha3=3))
    assert check(source, move(path, CONFIG)).random == {}


def test_other_shapes_stay_random(tmp_path):
    source, path = model_file(tmp_path / 'm')
    transferred = check(source, move(path, CONFIG._replace(fuse_input=True)))
    assert set(transferred.random) == {'different shape'}
    assert {name.split('.')[0] for name in transferred.random['different shape']} == {'merge1'}
    transferred = check(source, move(path, CONFIG._replace(width_divider=3)))
    assert 'encoder.down2.reduce.weight' in transferred.random['different shape']
    assert 'encoder.level1.conv.weight' in transferred.copied


def test_another_activation_leaves_its_slopes(tmp_path):
    source, path = model_file(tmp_path / 'm')
    transferred = check(source, move(path, CONFIG._replace(activation='relu')))
    assert transferred.random == {}
    source, path = model_file(tmp_path / 'relu', CONFIG._replace(activation='relu'))
    transferred = check(source, move(path, CONFIG))
    assert set(transferred.random) == {'not in small'}
    assert all(name.endswith('act.weight') for name in transferred.random['not in small'])


def test_a_damaged_model_is_named(tmp_path):
    _, path = model_file(tmp_path / 'm')
    model = models.find(str(path))
    (tmp_path / 'm' / 'small.pth').write_bytes(b'nothing')
    with pytest.raises(ModelError, match="small.pth' are not a PyTorch state dict"):
        transfer(Pretrained(model), build(CONFIG), LABELS, OUTPUTS)


def test_the_report_in_words():
    assert str(Transferred(('a', 'b'), {'different shape': ('c.d.e', 'c.d.f', 'g'), 'not in x': ('h.i',)})) == (
        '2 tensors copied; 3 random, different shape: c, g; 1 random, not in x: h')


@pytest.mark.parametrize('name', ['espnet/espnet_p_2_q_8.pth', 'espnet_c/espnet_p_2_q_8.pth'])
def test_the_authors_encoder_initializes_a_camvid_network(shared, name):
    model = models.find(str(shared / 'weights' / name))
    source = models.load(model)
    prefix = '' if model.card.architecture.variant == 'espnet' else 'encoder.'
    found = move(shared / 'weights' / name, NetworkConfig(classes=11, alpha3=8), CAMVID, CAMVID.ids, 'encoder')
    transferred = check(source, found, prefix, rows=('encoder.classifier.weight',))
    assert list(transferred.random) == ['not in the encoder' if not prefix else 'not in {}'.format(model.card.name)]
    assert 'encoder.classifier.weight' in transferred.copied
    assert len([n for n in transferred.copied if n.startswith('encoder.level3.') and n.endswith('reduce.weight')]) == 8

"""What fits of another model is taken over, tensor by tensor, and what does not begins fresh for a reason."""
import pytest
import torch
from small_models import CARD, CONFIG, LABELS
from small_samples import model_file

from espnet_ros import models
from espnet_ros.errors import ModelError
from espnet_ros.labels import CAMVID, CITYSCAPES
from espnet_ros.network import NetworkConfig, build
from espnet_ros.training.transfer import Start, Taken, transfer

ENCODER = CONFIG._replace(variant='espnet-c')
OUTPUTS = CARD.outputs


def move(path, config, label_set=LABELS, outputs=OUTPUTS, part='all'):
    """Transfer the model at a path to a new network; return the network, what it was before, and the Taken."""
    torch.manual_seed(1)
    network = build(config)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    return network, before, transfer(Start(models.find(str(path)), part), network, label_set, outputs)


def check(source, found, prefix='', target_prefix='', rows=()):
    """Assert that exactly the tensors called taken have the source's values and the others those of before."""
    network, before, taken = found
    fresh = {name for names in taken.fresh.values() for name in names}
    assert not fresh & set(taken.taken)
    assert fresh | set(taken.taken) == {target_prefix + name for name in before}
    values = {prefix + name: tensor for name, tensor in source.state_dict().items()}
    for name, tensor in network.state_dict().items():
        name = target_prefix + name
        if name not in rows:
            assert torch.equal(tensor, values[name] if name in taken.taken else before[name[len(target_prefix):]])
    return taken


def test_all_of_the_same_model(tmp_path):
    source, path = model_file(tmp_path / 'm')
    taken = check(source, move(path, CONFIG))
    assert taken.fresh == {} and str(taken) == '{} tensors are taken over'.format(len(source.state_dict()))


def test_the_encoder_alone(tmp_path):
    source, path = model_file(tmp_path / 'm')
    taken = check(source, move(path, CONFIG, part='encoder'))
    assert set(taken.fresh) == {'not of the encoder'} and 'encoder.classifier.weight' in taken.taken
    assert not any(name.startswith('encoder.') for name in taken.fresh['not of the encoder'])


def test_other_classes_need_another_classifier_and_decoder(tmp_path):
    source, path = model_file(tmp_path / 'm')
    taken = check(source, move(path, CONFIG._replace(classes=11), CAMVID, CAMVID.ids))
    assert set(taken.fresh['its classes are others']) == {'encoder.classifier.weight', 'up1.weight'}
    counters = {name for name in source.state_dict() if name.endswith('num_batches_tracked')}
    assert {name for name in taken.taken if not name.startswith('encoder.')} <= counters | {'merge2.reduce.weight'}
    assert str(taken).startswith('{} tensors are taken over; '.format(len(taken.taken)))


def test_as_many_classes_are_not_the_same_ones(tmp_path):
    source, path = model_file(tmp_path / 'm')
    taken = check(source, move(path, CONFIG, LABELS._replace(name='vegetables')))
    assert taken.fresh == {'its classes are others': ('up1.weight',)}  # all else is only a good beginning


@pytest.mark.parametrize('outputs', [(2, 5, 255, 9), (2, 9), (9, 255, 2, 5, 255, 255)])
def test_the_same_classes_at_other_outputs_keep_their_rows_of_the_classifier(tmp_path, outputs):
    source, path = model_file(tmp_path / 'm')
    network, before, taken = move(path, ENCODER._replace(classes=len(outputs)), outputs=outputs)
    assert taken.fresh == {}
    for row, class_id in enumerate(outputs):
        expected = (before['classifier.weight'][row] if class_id == 255 else
                    source.encoder.classifier.weight[OUTPUTS.index(class_id)])
        assert torch.equal(network.classifier.weight[row], expected)


def test_other_classes_begin_with_the_weights_of_what_becomes_them(tmp_path):
    source, path = model_file(tmp_path / 'm', CONFIG._replace(classes=20), label_set=CITYSCAPES,
                              outputs=(*CITYSCAPES.ids, 255))
    outputs = (*CAMVID.ids, *9 * (255,))
    network, before, taken = move(path, CONFIG._replace(classes=20), CAMVID, outputs)
    assert taken.fresh == {} and torch.equal(network.encoder.classifier.weight, source.encoder.classifier.weight)
    names = {'Sky': 'sky', 'Building': 'building', 'Pole': 'pole', 'Road': 'road', 'Pavement': 'sidewalk',
             'Tree': 'vegetation', 'SignSymbol': 'traffic light', 'Fence': 'fence', 'Car': 'car',
             'Pedestrian': 'person', 'Bicyclist': 'rider'}
    for row, camvid in enumerate(CAMVID.names):
        expected = source.up1.weight[:, CITYSCAPES.names.index(names[camvid])]
        assert torch.equal(network.up1.weight[:, row], expected), camvid
    assert torch.equal(network.up1.weight[:, 11:], before['up1.weight'][:, 11:])


def test_rows_of_another_width_do_not_fit(tmp_path):
    _, path = model_file(tmp_path / 'm', ENCODER._replace(variant='espnet-a'))
    _, _, taken = move(path, ENCODER._replace(classes=2), outputs=(2, 9))
    assert 'encoder.classifier.weight' in taken.fresh['its classes are others']


def test_an_encoder_becomes_part_of_the_whole(tmp_path):
    source, path = model_file(tmp_path / 'm', ENCODER)
    taken = check(source, move(path, CONFIG), prefix='encoder.')
    assert set(taken.taken) == {'encoder.' + name for name in source.state_dict()}
    assert set(taken.fresh) == {'small has none'} and 'up1.weight' in taken.fresh['small has none']
    taken = check(source, move(path, CONFIG._replace(classes=11), CAMVID, CAMVID.ids), prefix='encoder.')
    assert taken.fresh['its classes are others'] == ('encoder.classifier.weight',)


def test_the_whole_gives_its_encoder(tmp_path):
    source, path = model_file(tmp_path / 'm')
    taken = check(source, move(path, ENCODER), target_prefix='encoder.')
    assert taken.fresh == {}


def test_a_deeper_network_begins_fresh_where_it_is_deeper(tmp_path):
    source, path = model_file(tmp_path / 'm')
    taken = check(source, move(path, CONFIG._replace(alpha3=3)))
    assert set(taken.fresh) == {'small has none'}
    assert {name.split('.')[2] for name in taken.fresh['small has none']} == {'1', '2'}
    assert str(taken).endswith('begin fresh, small has none: encoder.level3')


def test_a_shallower_network_leaves_the_rest(tmp_path):
    source, path = model_file(tmp_path / 'm', CONFIG._replace(alpha3=3))
    assert check(source, move(path, CONFIG)).fresh == {}


def test_other_shapes_begin_fresh(tmp_path):
    source, path = model_file(tmp_path / 'm')
    taken = check(source, move(path, CONFIG._replace(fuse_input=True)))
    assert set(taken.fresh) == {'of another shape'}
    assert {name.split('.')[0] for name in taken.fresh['of another shape']} == {'merge1'}
    taken = check(source, move(path, CONFIG._replace(width_divider=3)))
    assert 'encoder.down2.reduce.weight' in taken.fresh['of another shape']
    assert 'encoder.level1.conv.weight' in taken.taken


def test_another_activation_leaves_its_slopes(tmp_path):
    source, path = model_file(tmp_path / 'm')
    taken = check(source, move(path, CONFIG._replace(activation='relu')))
    assert taken.fresh == {}
    source, path = model_file(tmp_path / 'relu', CONFIG._replace(activation='relu'))
    taken = check(source, move(path, CONFIG))
    assert set(taken.fresh) == {'small has none'}
    assert all(name.endswith('act.weight') for name in taken.fresh['small has none'])


def test_a_damaged_model_is_named(tmp_path):
    _, path = model_file(tmp_path / 'm')
    model = models.find(str(path))
    (tmp_path / 'm' / 'small.pth').write_bytes(b'nothing')
    with pytest.raises(ModelError, match="small.pth' are not a PyTorch state dict"):
        transfer(Start(model), build(CONFIG), LABELS, OUTPUTS)


def test_the_report_in_words():
    assert str(Taken(('a', 'b'), {'of another shape': ('c.d.e', 'c.d.f', 'g'), 'x has none': ('h.i',)})) == (
        '2 tensors are taken over; 3 begin fresh, of another shape: c, g; 1 begin fresh, x has none: h')


@pytest.mark.parametrize('name', ['espnet/espnet_p_2_q_8.pth', 'espnet_c/espnet_p_2_q_8.pth'])
def test_the_authors_encoder_begins_a_camvid_network(shared, name):
    model = models.find(str(shared / 'weights' / name))
    source = models.load(model)
    prefix = '' if model.card.architecture.variant == 'espnet' else 'encoder.'
    found = move(shared / 'weights' / name, NetworkConfig(classes=11, alpha3=8), CAMVID, CAMVID.ids, 'encoder')
    taken = check(source, found, prefix, rows=('encoder.classifier.weight',))
    assert list(taken.fresh) == ['not of the encoder' if not prefix else '{} has none'.format(model.card.name)]
    assert 'encoder.classifier.weight' in taken.taken
    assert len([n for n in taken.taken if n.startswith('encoder.level3.') and n.endswith('reduce.weight')]) == 8

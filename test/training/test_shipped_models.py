"""The cards of the shipped models have the scores that the evaluator computes."""
import pytest

from espnet_ros import models
from espnet_ros.datasets import Memory, Streets, open_dataset
from espnet_ros.models.card import MAX_INT8_LOSS
from espnet_ros.training.result import evaluated

SHIPPED = {entry.card.name: entry for entry in models.available() if entry.state == models.SHIPPED}


def check(entry, dataset, name, folder):
    """Evaluate a model on a dataset; its card must say the same."""
    found = evaluated(entry.card_path, entry.card, dataset, folder / 'report')
    said = entry.card.results[name]
    for key in ('class mIOU', 'category mIOU'):
        assert found[key] == pytest.approx(said[key], abs=0.05)  # float32 is rounded otherwise on another machine
    assert found['class IoU'] == pytest.approx(said['class IoU'], abs=0.5)
    return found


def camvid_val(shared):
    return open_dataset('camvid:{}:val'.format(shared / 'data' / 'camvid'))


@pytest.fixture(scope='module')
def streets():
    """Drawn once: that takes as long as segmenting them."""
    drawn = Streets(40, 640, 480)
    return Memory(drawn.name, drawn.label_set, [(each.image, each.labels) for each in drawn])


def test_names():
    assert set(SHIPPED) == {'camvid-espnet-q8', 'camvid-espnet-q3', 'camvid-espnet-c-q8'}


@pytest.mark.timeout(900)
@pytest.mark.parametrize('name, result', [
    ('camvid-espnet-q8', 'camvid val'), ('camvid-espnet-q3', 'camvid val'), ('camvid-espnet-c-q8', 'CamVid val')])
def test_camvid(shared, tmp_path, name, result):
    found = check(SHIPPED[name], camvid_val(shared), result, tmp_path)
    if name == models.DEFAULT:
        assert found['class mIOU'] > 65 and found['category mIOU'] > 74


@pytest.mark.timeout(900)
@pytest.mark.parametrize('name', sorted(name for name, entry in SHIPPED.items() if entry.card.int8))
def test_int8_on_camvid(shared, tmp_path, name):
    pytest.importorskip('openvino')
    pytest.importorskip('onnx')
    entry = SHIPPED[name]
    found = evaluated(entry.card_path, entry.card, camvid_val(shared), tmp_path / 'report', backend='openvino',
                      precision='int8')
    facts = entry.card.int8.facts
    assert found['class mIOU'] == pytest.approx(facts['mIOU in int8'], abs=0.15)  # other kernels round otherwise
    assert facts['mIOU in fp32'] - found['class mIOU'] <= MAX_INT8_LOSS


@pytest.mark.timeout(900)
@pytest.mark.parametrize('name', ['camvid-espnet-q8', 'camvid-espnet-q3'])
def test_streets(streets, tmp_path, name):
    check(SHIPPED[name], streets, 'street seed 0', tmp_path)

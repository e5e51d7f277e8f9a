"""Networks of other families in the inference form: labels as from their logits, the same from ONNX."""
import pytest
import torch
from small_models import CARD, network
from torch.nn import functional

from espnet_ros.deploy.deploy import Deployed, deploy
from espnet_ros.deploy.onnx import export_onnx
from espnet_ros.engine import build_engine
from espnet_ros.network import FAMILIES

SMALL = ('enet', 'erfnet', 'espnet-wsi', 'sqnet')
PUBLIC_ENET = FAMILIES['enet'].config(4, 'pytorch-enet')


@pytest.fixture(scope='module', params=[*(FAMILIES[family].config(classes=4) for family in SMALL), PUBLIC_ENET],
                ids=[*SMALL, 'pytorch-enet'])
def model(request):
    """A card of the family and its network."""
    card = CARD._replace(architecture=request.param)
    return card, network(card.architecture)


@pytest.mark.parametrize('tiled', [False, True])
def test_labels_are_those_of_the_logits(model, tiled):
    card, net = model
    torch.manual_seed(1)  # one image in some hundreds has an almost equal choice in ENet's unpooling
    image = torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (card.mean, card.std))
    with torch.no_grad():
        logits = net((image - mean) / std / card.divisor)
        logits = functional.interpolate(logits, size=(64, 96), mode='bilinear', align_corners=False)
        labels, confidence = deploy(net, card, tiled)(image, True)
    wanted = torch.tensor(card.outputs, dtype=torch.uint8)[logits.argmax(1)]
    assert len(wanted.unique()) > 1 and (labels == wanted).float().mean() > 0.999
    assert (confidence.float() / 255 - logits.softmax(1).max(1)[0]).abs().max() < 0.01


def test_the_exported_file_gives_pytorchs_labels(model, tmp_path):
    runtime = pytest.importorskip('onnxruntime')
    pytest.importorskip('onnx')
    card, net = model
    torch.manual_seed(1)
    path = tmp_path / 'net.onnx'
    assert export_onnx(card, net, 96, 72, path) is True  # compared with PyTorch on 99.9% of the pixels
    image = torch.randint(0, 256, (1, 72, 96, 3), dtype=torch.uint8)
    labels = runtime.InferenceSession(str(path), providers=['CPUExecutionProvider']).run(
        None, {'image': image.numpy()})[0]
    with torch.no_grad():
        wanted = Deployed(net, card).eval()(image.permute(0, 3, 1, 2))[0].numpy()
    assert labels.shape == (1, 72, 96) and (labels == wanted).mean() > 0.999


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize('architecture', [
    *(FAMILIES[family].config(classes=4) for family in ('enet', 'segnet', 'deeplab-v2', 'pspnet')), PUBLIC_ENET], ids=[
        'enet', 'segnet', 'deeplab-v2', 'pspnet', 'pytorch-enet'])
def test_openvino_runs_max_unpooling_and_pyramids(architecture):
    pytest.importorskip('openvino')
    card = CARD._replace(architecture=architecture)
    engine = build_engine(card, network(card.architecture), 96, 64, 'openvino', 'cpu', 'fp32')
    assert (engine.describe().backend, engine.fallback) == ('openvino', '')

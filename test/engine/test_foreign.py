"""Networks of other libraries as ONNX files: PyTorch's labels in both runtimes."""
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from foreign_networks import CLASSES, HEIGHT, NETWORKS, WIDTH, foreign_network, normalized, onnx_bytes
from torch.nn import functional

from espnet_ros.engine import build_engine, foreign
from espnet_ros.engine.verification import example_images
from espnet_ros.errors import EngineError
from espnet_ros.labels import CITYSCAPES
from espnet_ros.models.onnx_file import OnnxNetwork

pytestmark = pytest.mark.slow
pytest.importorskip('onnx')
STRIDES = {'lraspp': 1, 'deeplabv3': 1, 'segformer': 4}


@pytest.fixture(scope='module', params=NETWORKS)
def foreigner(request):
    """(name, PyTorch network, ONNX bytes, card)."""
    pytest.importorskip('onnxruntime')
    network = foreign_network(request.param)
    content = onnx_bytes(network, 17, dynamic=request.param == 'segformer')
    card, notes = foreign.draft(content, 'net.onnx', 'net', '0' * 64, foreign.Wishes(CITYSCAPES, size=(WIDTH, HEIGHT)))
    assert len(notes) == 1 and 'normalized' in notes[0]
    return request.param, network, content, card


def test_onnx_runtime_reports_nothing(tmp_path):
    pytest.importorskip('onnxruntime')
    environment = {name: value for name, value in os.environ.items()
                   if name not in ('CI', 'GITHUB_ACTIONS', 'ORT_DISABLE_TELEMETRY')}
    subprocess.run([sys.executable, '-c', 'import espnet_ros, onnxruntime'], check=True,
                   env=dict(environment, TMPDIR=str(tmp_path)))
    assert not list(tmp_path.iterdir())  # the session of its telemetry


def test_the_card_is_what_the_file_and_its_answer_say(foreigner):
    name, network, _, card = foreigner
    config = card.architecture
    assert (config.classes, config.kind, config.layout, config.output_layout) == (CLASSES, 'logits', 'NCHW', 'NCHW')
    assert (config.input, config.output, config.type, config.stride) == ('image', 'logits', 'float32', STRIDES[name])
    assert (card.input_width, card.input_height, card.outputs) == (WIDTH, HEIGHT, CITYSCAPES.ids)
    assert card.parameters == pytest.approx(sum(p.numel() for p in network.parameters()), rel=0.03)


@pytest.mark.parametrize('backend', ['openvino', 'onnxruntime'])
def test_labels_are_pytorchs(foreigner, backend):
    pytest.importorskip(backend)
    _, network, content, card = foreigner
    engine = build_engine(card, OnnxNetwork(card.architecture, content), WIDTH, HEIGHT, backend, 'cpu', 'fp32',
                          strict=True)
    assert engine.describe().backend == backend
    for image in example_images(WIDTH, HEIGHT):
        labels, confidence = engine.run(image, True)
        with torch.no_grad():
            logits = functional.interpolate(network(normalized(image)), size=(HEIGHT, WIDTH), mode='bilinear',
                                            align_corners=False)
        wanted = logits.argmax(1)[0].numpy()
        assert len(np.unique(wanted)) > 3 and (labels == wanted).mean() >= 0.999
        assert np.abs(confidence / 255.0 - logits.softmax(1).max(1)[0][0].numpy()).max() < 0.01
        assert labels.dtype == confidence.dtype == np.uint8 and engine.run(image)[1] is None


def test_pytorch_says_what_runs_it(foreigner):
    _, _, content, card = foreigner
    network = OnnxNetwork(card.architecture, content)
    with pytest.raises(EngineError, match='net is an ONNX file: it runs in OpenVINO, ONNX Runtime or TensorRT, not'):
        build_engine(card, network, WIDTH, HEIGHT, 'torch', 'cpu', strict=True)
    chosen = build_engine(card, network, WIDTH, HEIGHT, device='cpu')
    assert chosen.describe().backend in ('openvino', 'onnxruntime') and 'ONNX file' in chosen.describe().choice

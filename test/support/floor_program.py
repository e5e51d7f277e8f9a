"""What test_floor.py runs with a robot's oldest Python: every part that needs no ROS, at work; prints JSON."""
import importlib
import json
import os
import pathlib
import platform
import sys
import tempfile
import warnings

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / 'test'))


def compile_all(paths):
    """Compile without running, so that what needs ROS is looked at as well."""
    for path in paths:
        with open(path, encoding='utf-8') as stream:
            compile(stream.read(), path, 'exec')
    return len(paths)


def versions():
    import cv2
    import numpy
    import torch
    return {'python': platform.python_version(), 'torch': torch.__version__, 'numpy': numpy.__version__,
            'cv2': cv2.__version__}


def golden(shared):
    """For each of the authors' files: its model, and how its results differ from the golden ones."""
    import cv2
    import numpy as np
    import torch
    from authors_models import AUTHORS
    from torch.nn import functional

    from espnet_ros import models
    from espnet_ros.engine import build_engine
    from espnet_ros.segmenter import Segmenter

    results = {}
    for file, config in sorted(AUTHORS.items()):
        model = models.find(str(shared / 'weights' / file))
        network = models.load(model)
        assert model.card.architecture == config == network.config
        engine = build_engine(model.card, network, model.card.input_width, model.card.input_height, 'torch', 'cpu',
                              'fp32')
        segmenter = Segmenter(engine, 'network')
        net = '{}_q{}'.format(file.split('/')[0], config.alpha3)
        compared = {}
        if config.fuse_input:
            pairs = [(shared / 'golden' / 'camvid_q8_0016E5_07959_labels.png',
                      shared / 'data' / 'camvid' / 'val' / '0016E5_07959.png')]
        else:
            pairs = [(path, shared / 'data' / 'cityscapes_samples' / '{}_leftImg8bit.png'.format(
                path.name[len(net) + 1:-len('_labels.png')]))
                     for path in sorted((shared / 'golden').glob(net + '_frankfurt*_labels.png'))]
        for labels_path, image_path in pairs:
            image, expected = cv2.imread(str(image_path)), cv2.imread(str(labels_path), cv2.IMREAD_UNCHANGED)
            labels = segmenter.segment(image).labels
            compared[image_path.name] = {
                'labels': float((labels == np.where(expected == config.classes - 1, 255, expected)).mean())}
            logits_path = str(labels_path).replace('_labels.png', '_logits_rows.npy')
            if os.path.exists(logits_path):
                pixels = (image.astype(np.float32) - np.float32(model.card.mean)) / np.float32(model.card.std)
                pixels = cv2.resize(pixels, (1024, 512)) / 255
                with torch.inference_mode():
                    logits = network(torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()))
                    logits = functional.interpolate(logits, size=(512, 1024), mode='bilinear', align_corners=False)
                compared[image_path.name]['logits'] = float(
                    np.abs(logits[0, :, ::64, ::64].numpy() - np.load(logits_path)).max())
        results[model.card.name] = compared
    return results


def work(folder):
    """Each part does its job once, from the synthetic street to a picture of its labels."""
    import cv2
    import numpy as np
    from small_models import CARD, network

    from espnet_ros import labels, models
    from espnet_ros.diagnostics import machine
    from espnet_ros.diagnostics.latency import StageTimes
    from espnet_ros.engine import build_engine
    from espnet_ros.errors import ModelError
    from espnet_ros.images import render
    from espnet_ros.images.sources import open_source
    from espnet_ros.metrics.confusion import confusion_matrix
    from espnet_ros.models.card import read_card, write_card
    from espnet_ros.models.checkpoint import load_network, sha256_of, write_weights
    from espnet_ros.segmenter import Segmenter
    from espnet_ros.telemetry.sources import open_machine

    weights, card_path = os.path.join(folder, 'small.pth'), os.path.join(folder, 'small.yaml')
    write_weights(network(), weights)
    card = CARD._replace(sha256=sha256_of(weights))
    write_card(card, card_path)
    assert read_card(card_path) == card
    model = models.find(card_path)
    segmenter = Segmenter(build_engine(card, load_network(card.architecture, weights), 96, 64, device='cpu'))

    capture = next(iter(open_source('street:3', 320, 200)))
    assert capture.image.shape == (200, 320, 3) and capture.labels.shape == (200, 320)
    stages = StageTimes()
    result = segmenter.segment(capture.image, confidence=True, threshold=0.1)
    stages.add(**result.timings._asdict())
    color = render.colorize(result.labels, card.label_set.palette())
    picture = render.overlay(capture.image, color, 0.5, result.labels)
    legend = render.add_legend(picture, card.label_set)
    cv2.imwrite(os.path.join(folder, 'a.png'), capture.image)
    again = next(iter(open_source(os.path.join(folder, 'a.png'))))
    assert np.array_equal(again.image, capture.image) and picture.shape == (200, 320, 3)
    assert legend.shape[0] >= 200 and legend.shape[1] > 320 and np.array_equal(legend[:200, :320], picture)
    matrix = confusion_matrix(capture.labels, capture.labels, 19)
    assert matrix.sum() == np.trace(matrix[:, :19]) == (capture.labels < 19).sum()
    assert labels.get_label_set('camvid') is labels.CAMVID
    refusals = []
    with open(weights, 'rb') as stream:
        whole = stream.read()
    for content in (b'', b'cos\nsystem\n.', whole[:5000]):
        with open(os.path.join(folder, 'bad.pth'), 'wb') as stream:
            stream.write(content)
        try:
            load_network(card.architecture, os.path.join(folder, 'bad.pth'))
        except ModelError as error:
            refusals.append(str(error))
    computer = open_machine('', 0.1)
    computer.stop()
    half = build_engine(card, models.load(model), 96, 64, 'tensorrt', 'cpu').describe()
    return {'model': model.card.name, 'labels': sorted(set(np.unique(result.labels).tolist())),
            'stages': list(stages.percentiles()), 'refusals': len(refusals), 'fallback': half.fallback,
            'machine': [s.name for s in machine.statuses('robot', computer.state(), machine.Limits())][:2],
            'models': len(models.available())}


def main(shared, modules, paths):
    warnings.simplefilter('error')  # what is deprecated there would surprise a robot
    warnings.filterwarnings('ignore', category=ImportWarning)
    report = {'compiled': compile_all(paths)}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # importing other people's packages
        importlib.import_module('torch')
        importlib.import_module('cv2')
    for name in modules:
        importlib.import_module(name)
    report['imported'] = len(modules)
    report['versions'] = versions()
    with tempfile.TemporaryDirectory() as folder:
        report['work'] = work(folder)
    report['golden'] = golden(pathlib.Path(shared)) if shared else None
    print(json.dumps(report))


if __name__ == '__main__':
    main(*json.loads(sys.argv[1]))

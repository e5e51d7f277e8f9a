"""A small model on disk, small bags, and what an evaluation of them takes."""
import hashlib
import json

import numpy as np
import torch
from bag_maker import make

from espnet_ros import labels
from espnet_ros.bags.reader import open_bag
from espnet_ros.evaluation.offline import Setup
from espnet_ros.evaluation.scoring import compare_labels, score_frame
from espnet_ros.evaluation.statistics import Statistics
from espnet_ros.models.card import ModelCard, read_card, write_card
from espnet_ros.models.checkpoint import write_weights
from espnet_ros.network import NetworkConfig, build


def small_model(folder, label_set=labels.CAMVID):
    """Write a network of random weights for 96x64 pixels and return the path of its card."""
    folder.mkdir(exist_ok=True)
    path = folder / (label_set.name + '.yaml')
    if not path.exists():
        torch.manual_seed(7)
        architecture = NetworkConfig(variant='espnet-c', classes=len(label_set.classes), alpha2=1, alpha3=1)
        write_weights(build(architecture), path.with_suffix('.pth'))
        write_card(ModelCard(
            name='small-' + label_set.name, description='random', architecture=architecture, label_set=label_set,
            outputs=label_set.ids, input_width=96, input_height=64, mean=(100.0,) * 3, std=(50.0,) * 3, divisor=1.0,
            license='MIT', source='', training={}, results={}, weights=path.with_suffix('.pth').name,
            sha256=hashlib.sha256(path.with_suffix('.pth').read_bytes()).hexdigest()), path)
    return path


def setup_for(tmp_path, bags=None, count=5, label_set=labels.CAMVID, protocol='cityscapes'):
    """Return the Setup of bags (paths; None: a bag of `count` labeled frames), to run on PyTorch in fp32."""
    if bags is None:
        bags = [tmp_path / 'bag' if (tmp_path / 'bag').exists() else make(tmp_path / 'bag', count)]
    opened = tuple(map(open_bag, bags))
    model = small_model(tmp_path / 'model', label_set)
    comparisons = tuple(compare_labels(read_card(str(model)).label_set, [bag.label_set for bag in opened]))
    return Setup(str(model), 96, 64, 'torch', 'cpu', 'fp32', opened, comparisons, protocol, True)


def finished_evaluation(folder, wrong, model_set=labels.CAMVID, protocol='cityscapes', latency=0.1, stamps=range(40)):
    """Leave an evaluation of small frames, a share of whose pixels is wrong, and return its folder."""
    folder.mkdir()
    comparison, = compare_labels(model_set, [labels.CAMVID])
    statistics = Statistics(comparison.label_set, comparison.by_class, len(stamps), protocol)
    with open(folder / 'frames.jsonl', 'w') as stream:
        for stamp in stamps:
            random = np.random.default_rng((0, stamp))
            truth = random.integers(0, 11, (12, 16), dtype=np.uint8)
            prediction = np.where(random.random(truth.shape) < wrong, (truth + 1) % 11, truth).astype(np.uint8)
            if model_set is labels.CITYSCAPES:
                prediction = np.zeros_like(prediction)
            record = dict(score_frame(comparison, truth, prediction, protocol), bag=0, topic='/a', stamp=stamp,
                          latency=latency + random.random() / 100)
            statistics.add(record)
            stream.write(json.dumps(record) + '\n')
    configuration = {'model': {'name': 'm'}, 'input': [96, 64], 'bags': [{'paths': ['/bag']}]}
    sessions = [{'engines': [{'backend': 'torch', 'precision': 'fp32', 'device': 'CPU', 'fallback': ''}]}]
    (folder / 'metrics.json').write_text(json.dumps(dict(
        statistics.metrics(), configuration=configuration, sessions=sessions, problems=[])))
    return folder


def without_times(record):
    """A record without what two runs never share."""
    return {key: value for key, value in record.items() if key not in ('latency', 'stages')}

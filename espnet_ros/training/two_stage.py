"""Training in the paper's two stages: ESPNet-C on labels at 1/8, then the whole ESPNet."""
import copy
import csv
import math
import os
import pathlib
import time
import typing

import numpy as np
import torch
from torch.nn import functional

from espnet_ros import labels as label_sets
from espnet_ros.metrics import category_confusion, confusion_matrix, iou, mean_iou
from espnet_ros.network import NetworkConfig, build
from espnet_ros.network.card import ModelCard, write_card
from espnet_ros.network.checkpoint import sha256_of, write_weights
from espnet_ros.network.deploy import Deployed
from espnet_ros.training.samples import augment, class_weights


class Recipe(typing.NamedTuple):
    """Settings of a training; the learning rate rises for 5% of a stage and falls as a cosine to 1%.

    variant: what the second stage trains, 'espnet' or, without a decoder, 'espnet-c'.
    width, height: the network's input size; the first stage trains on crops of this size, the second, for speed, on
    crops of crop_width x crop_height.
    """

    variant: str = 'espnet'
    alpha3: int = 8
    width: int = 480
    height: int = 360
    crop_width: int = 384
    crop_height: int = 288
    encoder_epochs: int = 25
    epochs: int = 60
    batch: int = 6
    learning_rate: float = 1e-3
    weight_decay: float = 5e-4
    average: float = 0.998
    seed: int = 1


def train(recipe, training, extra, held_out, folder, log=print):
    """Train on `training` + `extra` samples (CamVid ids), leave curves, weights and card in `folder`.

    The first stage sees `training` alone. held_out: name -> samples, measured at the end; the first of them also
    every five epochs. An interrupted training goes on from its last epoch. Returns the card.
    """
    validation = next(iter(held_out.values()))
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    card = _draft_card(recipe, training)
    weights = torch.from_numpy(class_weights(training, len(card.label_set.classes)))
    encoder = build(card.architecture._replace(variant='espnet-c'))
    _stage('encoder', encoder, card, recipe, recipe.encoder_epochs, training, validation, weights, folder, log)
    network = build(card.architecture)
    encoder = network.encoder if recipe.variant == 'espnet' else network
    encoder.load_state_dict(_averaged(folder / 'encoder.pt'))
    _stage(recipe.variant, network, card, recipe, recipe.epochs, training + extra, validation, weights, folder, log)
    network.load_state_dict(_averaged(folder / (recipe.variant + '.pt')))
    return _finish(card, recipe, network, training, extra, held_out, folder)


def evaluate(deployed, samples):
    """Return the confusion matrix [11, 12] of the deployed network over the samples (metrics.confusion_matrix)."""
    total = 0
    deployed.eval()
    with torch.inference_mode():
        for sample in samples:
            image = torch.from_numpy(sample.image).permute(2, 0, 1).unsqueeze(0)
            prediction = deployed(image)[0][0].numpy()
            total = total + confusion_matrix(sample.labels, prediction, len(label_sets.CAMVID.classes))
    return total


def _stage(name, network, card, recipe, epochs, samples, validation, weights, folder, log):
    """Train one stage; its state after each epoch is in folder/name.pt, its curve in folder/name.csv."""
    state_path = folder / (name + '.pt')
    deployed = Deployed(network, card).to(memory_format=torch.channels_last)
    average = copy.deepcopy(deployed)
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    steps = len(samples) // recipe.batch
    crop = (recipe.width, recipe.height) if name == 'encoder' else (recipe.crop_width, recipe.crop_height)
    start, spent = 0, 0.0
    if state_path.exists():
        state = torch.load(state_path, weights_only=True)
        network.load_state_dict(state['network'])
        average.network.load_state_dict(state['average'])
        optimizer.load_state_dict(state['optimizer'])
        start, spent = state['epoch'], state['seconds']
    for epoch in range(start, epochs):
        began = time.monotonic()
        rng = np.random.default_rng([recipe.seed, epoch, len(name)])
        order = rng.permutation(len(samples))
        losses = []
        deployed.train()
        for step in range(steps):
            _set_rate(optimizer, recipe.learning_rate, (epoch * steps + step) / (epochs * steps))
            batch = [augment(samples[i], rng, *crop)
                     for i in order[step * recipe.batch:(step + 1) * recipe.batch]]
            losses.append(_step(deployed, optimizer, batch, weights))
            _average(average, deployed, min(recipe.average, (epoch * steps + step + 1) / (epoch * steps + step + 10)))
        spent += time.monotonic() - began
        row = {'epoch': epoch + 1, 'loss': round(float(np.mean(losses)), 4), 'seconds': round(spent), 'miou': ''}
        if (epoch + 1) % 5 == 0 or epoch + 1 == epochs:
            row['miou'] = round(100 * mean_iou(evaluate(average, validation)), 2)
        _append(folder / (name + '.csv'), row)
        log('{} {}'.format(name, row))
        _save({'network': network.state_dict(), 'average': average.network.state_dict(), 'epoch': epoch + 1,
               'optimizer': optimizer.state_dict(), 'seconds': spent}, state_path)


def _step(deployed, optimizer, batch, weights):
    image = torch.from_numpy(np.stack([s.image for s in batch])).permute(0, 3, 1, 2)
    labels = torch.from_numpy(np.stack([s.labels for s in batch]).astype(np.int64))
    # In float32: oneDNN's bfloat16 weight gradient of dilated convolutions gives NaN or crashes (PyTorch 2.13, Zen 5).
    x = image.float() * deployed.scale + deployed.shift
    logits = deployed.network(x.contiguous(memory_format=torch.channels_last))
    stride = deployed.network.config.stride
    labels = labels[:, stride // 2::stride, stride // 2::stride]
    loss = functional.cross_entropy(logits, labels, weights, ignore_index=label_sets.UNLABELED)
    if not torch.isfinite(loss):
        raise RuntimeError('the loss became {}; lower the learning rate'.format(loss.item()))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _set_rate(optimizer, peak, progress):
    warm = min(1.0, progress / 0.05)
    fall = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))
    for group in optimizer.param_groups:
        group['lr'] = peak * warm * fall + 1e-6


def _average(average, deployed, decay):
    with torch.no_grad():
        for kept, new in zip(average.state_dict().values(), deployed.state_dict().values()):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)


def _averaged(path):
    return torch.load(path, weights_only=True)['average']


def _save(state, path):
    partial = path.with_suffix('.partial')
    torch.save(state, partial)
    os.replace(partial, path)


def _append(path, row):
    new = not path.exists()
    with open(path, 'a', newline='') as stream:
        writer = csv.DictWriter(stream, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def _draft_card(recipe, training):
    pixels = np.concatenate([s.image[::8, ::8].reshape(-1, 3) for s in training]).astype(np.float64)
    classes = len(label_sets.CAMVID.classes)
    name = 'camvid-{}-q{}'.format(recipe.variant, recipe.alpha3)
    return ModelCard(
        name=name, description='',
        architecture=NetworkConfig(recipe.variant, classes, alpha3=recipe.alpha3,
                                   fuse_input=recipe.variant == 'espnet'),
        label_set=label_sets.CAMVID, outputs=tuple(range(classes)), input_width=recipe.width,
        input_height=recipe.height, mean=tuple(np.round(pixels.mean(0), 3).tolist()),
        std=tuple(np.round(pixels.std(0), 3).tolist()), divisor=1.0, license='MIT', source='', training={},
        results={}, weights=name + '.pth', sha256='0' * 64)


def _finish(card, recipe, network, training, extra, held_out, folder):
    deployed = Deployed(network, card)
    results = {name: summary(evaluate(deployed, samples)) for name, samples in held_out.items()}
    write_weights(network, folder / card.weights)
    seconds = sum(torch.load(folder / (n + '.pt'), weights_only=True)['seconds'] for n in ('encoder', recipe.variant))
    card = card._replace(
        sha256=sha256_of(folder / card.weights), results=results,
        training={'data': '{} CamVid train frames, {} synthetic street frames'.format(len(training), len(extra)),
                  'recipe': dict(recipe._asdict()), 'hours': round(seconds / 3600, 2)})
    write_card(card, folder / (card.name + '.yaml'))
    return card


def summary(confusion):
    """Return mIOU and IoU per class and category in percent, from a CamVid confusion matrix."""
    by_category = category_confusion(confusion, label_sets.CAMVID)
    return {
        'class mIOU': round(100 * mean_iou(confusion), 2),
        'category mIOU': round(100 * mean_iou(by_category), 2),
        'class IoU': dict(zip(label_sets.CAMVID.names, np.round(100 * iou(confusion), 2).tolist())),
        'category IoU': dict(zip(label_sets.CATEGORIES[1:], np.round(100 * iou(by_category), 2).tolist())),
    }

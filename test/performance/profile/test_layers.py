"""Time of a network's layers."""
import itertools

import pytest
import small_models
import torch
from torch import nn

from espnet_ros.deploy.deploy import deploy
from espnet_ros.performance.profile import layers
from espnet_ros.performance.profile.layers import measure_layers, merge_parts


class Outer(nn.Module):
    """A module with work of its own around that of another."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.Identity())

    def forward(self, x):
        return self.inner(x + 1) * 2


@pytest.fixture
def ticks(monkeypatch):
    """A clock that goes on by one second whenever it is read."""
    count = itertools.count()
    monkeypatch.setattr(layers._Stopwatch, '_now', staticmethod(lambda: next(count)))


def test_each_layer_has_its_own_time(ticks):
    # Marks: Outer begins, inner begins, 0 begins, 0 ends, 1 begins, 1 ends, inner ends, Outer ends.
    found = {layer.name: layer for layer in measure_layers(Outer(), torch.zeros(1, 1, 2, 3), runs=4, warmup=1)}
    assert {name: layer.seconds for name, layer in found.items()} == {'': 2.0, 'inner.0': 1.0}
    assert found['inner.0'].kind == 'Conv2d' and found['inner.0'].flop == 12 and found['inner.0'].bytes == 4 * 13
    assert found[''].flop == 0 and found[''].bytes == 4 * 24  # x + 1 and * 2 read and write six values each


def test_parts_of_a_layer(ticks):
    network = deploy(small_models.network(), small_models.CARD)
    parts = measure_layers(network, torch.zeros(1, 3, 64, 96, dtype=torch.uint8), runs=1)
    esp = [part for part in parts if part.layer == 'network.encoder.down2']
    assert [part.name[len('network.encoder.down2'):] for part in esp] == [
        '', '.reduce', '.branches.0', '.branches.1', '.post.norm', '.post.act']
    whole = {layer.name: layer for layer in merge_parts(parts)}
    down2 = whole['network.encoder.down2']
    assert down2.kind == 'ESP' and down2.seconds == sum(part.seconds for part in esp)
    assert down2.flop == sum(part.flop for part in esp) == 2 * 24 * 16 * (19 * 32 * 9 + 32 * 64 * 9)
    assert whole['network.encoder.classifier'].kind == 'Conv2d'
    assert 'network.encoder.norm1' in whole and whole['network.encoder.level1'].kind == 'ConvNormAct'
    assert [sum(getattr(layer, field) for layer in whole.values()) for field in ('seconds', 'flop', 'bytes')] == [
        sum(getattr(part, field) for part in parts) for field in ('seconds', 'flop', 'bytes')]
    assert sum(layer.seconds for layer in whole.values()) > 100


def test_times_add_up_to_an_image(ticks):
    stopwatch = layers._Stopwatch()
    for step, name in ((stopwatch.enter, ''), (stopwatch.enter, 'a'), (stopwatch.leave, 'a'), (stopwatch.enter, 'b'),
                       (stopwatch.enter, 'b.c'), (stopwatch.leave, 'b.c'), (stopwatch.leave, 'b'),
                       (stopwatch.leave, '')):
        step(name)
    own = stopwatch.own_seconds()
    assert own == {'': 3, 'a': 1, 'b': 2, 'b.c': 1} and sum(own.values()) == 7
    assert list(own) == ['', 'a', 'b', 'b.c']


def test_slow_runs_do_not_count(monkeypatch):
    durations = iter([100.0, 1.0, 9.0, 3.0, 8.0])  # the first is to warm up

    class Slow:
        def __init__(self):
            self.seconds = next(durations)

        def own_seconds(self):
            return {'': self.seconds}
        enter = leave = staticmethod(lambda name: None)
    monkeypatch.setattr(layers, '_Stopwatch', Slow)
    found = measure_layers(nn.Conv2d(1, 1, 1), torch.zeros(1, 1, 2, 2), runs=4, warmup=1)
    assert [layer.seconds for layer in found] == [2.0]


def test_the_network_is_left_as_it_was():
    network = Outer()
    before = network(torch.ones(1, 1, 2, 2))
    measure_layers(network, torch.ones(1, 1, 2, 2), runs=1)
    assert torch.equal(network(torch.ones(1, 1, 2, 2)), before)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_hooks_go_when_the_network_fails():
    network = nn.Conv2d(3, 1, 1)
    with pytest.raises(RuntimeError):
        measure_layers(network, torch.zeros(1, 1, 2, 2))
    assert not network._forward_hooks and not network._forward_pre_hooks

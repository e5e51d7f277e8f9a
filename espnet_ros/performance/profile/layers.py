"""Time per layer of a network."""
import collections
import time
import typing

import torch

from espnet_ros.network import modules
from espnet_ros.performance.profile.counting import count_work
from espnet_ros.performance.profile.module_hooks import module_hooks
from espnet_ros.performance.statistics import faster_half

_LAYERS = modules.ESP, modules.ConvNormAct, modules.NormAct, modules.InputReinforcement
"""Modules that the paper draws as one layer; others are layers themselves."""


class Layer(typing.NamedTuple):
    """A layer of a network, or a module that is a part of one.

    layer: where the layer is in the network. name: where the module is; the layer's where it is the whole of it. kind:
    its class. seconds: of one image. flop, bytes: as in counting.Work. Modules are without the modules in them.
    """

    layer: str
    name: str
    kind: str
    seconds: float
    flop: int
    bytes: int


def merge_parts(parts):
    """Return a list of Layer from the modules that measure_layers returns, in the same order."""
    groups: typing.Dict[str, typing.List[Layer]] = collections.OrderedDict()
    for part in parts:
        groups.setdefault(part.layer, []).append(part)
    return [Layer(name, name, next((part.kind for part in group if part.name == name), 'module'),
                  *(sum(column) for column in list(zip(*group))[3:])) for name, group in groups.items()]


def measure_layers(network, image, runs=20, warmup=2):
    """Return a list of Layer, one for each module in the order in which they run, but for those that do nothing.

    network: takes the tensor `image`; all modules run as they are, one after the other, also on a GPU. Times are means
    over the faster half of the runs; together, the layers take as long as an image.
    """
    rounds = []
    with torch.inference_mode(), torch.cuda.device_of(image):
        for _ in range(warmup + runs):
            stopwatch = _GpuStopwatch() if image.is_cuda else _Stopwatch()
            with module_hooks(network, stopwatch.enter, stopwatch.leave):
                network(image)
            rounds.append(stopwatch.own_seconds())
    fast = faster_half(rounds[warmup:], lambda seconds: sum(seconds.values()))
    found = dict(network.named_modules())
    work = count_work(network, image)
    parts = [Layer(_layer_of(name, found), name, type(found[name]).__name__,
                   sum(seconds[name] for seconds in fast) / len(fast), *work[name]) for name in fast[0]]
    return [part for part in parts if part.bytes or part.name == part.layer and isinstance(found[part.name], _LAYERS)]


def _layer_of(name, found):
    """Return the name of the outermost layer that a module is in, its own where it is in none."""
    words = name.split('.')
    outer = ('.'.join(words[:i]) for i in range(1, len(words)))
    return next((other for other in outer if isinstance(found.get(other), _LAYERS)), name)


class _Stopwatch:
    """Records when modules begin and end."""

    def __init__(self):
        self._marks = []

    def enter(self, name):
        self._marks.append((name, True, self._now()))

    def leave(self, name):
        self._marks.append((name, False, self._now()))

    def own_seconds(self):
        """Return seconds by module, each without the modules in it, in the order in which they first began."""
        seconds, running = {}, []
        for (name, begins, now), (_, _, then) in zip(self._marks, self._marks[1:]):
            if begins:
                running.append(name)
                seconds.setdefault(name, 0.0)
            else:
                running.pop()
            if running:
                seconds[running[-1]] += self._between(now, then)
        return seconds

    _now = staticmethod(time.perf_counter)

    @staticmethod
    def _between(now, then):
        return then - now


class _GpuStopwatch(_Stopwatch):
    """With GPU events: modules only queue their work there."""

    @staticmethod
    def _now():
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    @staticmethod
    def _between(now, then):
        then.synchronize()
        return now.elapsed_time(then) / 1000.0

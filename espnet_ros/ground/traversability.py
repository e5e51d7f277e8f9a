"""What each class costs a robot, from a YAML file."""
import math
import typing

import numpy as np

from espnet_ros.errors import ParameterError, quoted
from espnet_ros.files import read_yaml

UNKNOWN = 255
"""Cost of a class that says nothing about the ground."""
LENGTHS = ('extent', 'spread', 'setback', 'clearance', 'clearance_max')


class Ground(typing.NamedTuple):
    """What one class means: cost 0..100 or UNKNOWN; lengths in meters, see config/traversability.yaml."""

    cost: int
    extent: float = 0.0
    spread: float = 0.0
    setback: float = 0.0
    clearance: float = 0.0
    clearance_max: float = 0.0
    moves: bool = False


class Traversability(typing.NamedTuple):
    """The table of one file: from this cost on a class is an obstacle; class names to their Ground."""

    obstacle_cost: int
    classes: typing.Mapping[str, Ground]


class GroundTable(typing.NamedTuple):
    """A Traversability for the ids of one label set: arrays of 256.

    cost: uint8, 0..100 or UNKNOWN. blocks: uint8, 255 for an obstacle. moves: uint8, 255 for what may move.
    LENGTHS: float64, meters. unnamed: class names that the file does not have.
    """

    cost: np.ndarray
    blocks: np.ndarray
    moves: np.ndarray
    extent: np.ndarray
    spread: np.ndarray
    setback: np.ndarray
    clearance: np.ndarray
    clearance_max: np.ndarray
    unnamed: typing.Tuple[str, ...]


def read_traversability(path):
    """Read the YAML file `path`. Raises ParameterError."""
    data = read_yaml(path, 'the traversability file', ParameterError)
    if not isinstance(data, dict) or set(data) != {'obstacle_cost', 'classes'} or not isinstance(data['classes'], dict):
        raise ParameterError('{}: it must have exactly the keys obstacle_cost and classes'.format(path))
    limit = data['obstacle_cost']
    if not _is_number(limit) or not 1 <= limit <= 100:
        raise ParameterError('{}: obstacle_cost must be a number from 1 to 100, not {}'.format(path, quoted(limit)))
    return Traversability(int(limit), {str(name): _ground(path, name, entry)
                                       for name, entry in data['classes'].items()})


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _ground(path, name, entry):
    if not isinstance(entry, dict) or set(entry) - set(Ground._fields) or 'cost' not in entry:
        raise ParameterError('{}: class {} must have cost, and may have {} and moves'.format(
            path, quoted(name), ', '.join(LENGTHS)))
    cost = UNKNOWN if entry['cost'] == 'unknown' else entry['cost']
    if not _is_number(cost) or not (0 <= cost <= 100 or cost == UNKNOWN and entry['cost'] == 'unknown'):
        raise ParameterError('{}: the cost of class {} must be 0 to 100 or unknown, not {}'.format(
            path, quoted(name), quoted(entry['cost'])))
    values = dict({'clearance_max': entry.get('clearance', 0.0)}, **entry)
    lengths = [values.get(key, 0.0) for key in LENGTHS]
    if not all(_is_number(v) and 0 <= v <= 50 for v in lengths):
        raise ParameterError('{}: {} of class {} must be 0 to 50 m'.format(path, ', '.join(LENGTHS), quoted(name)))
    if not isinstance(entry.get('moves', False), bool):
        raise ParameterError('{}: moves of class {} must be true or false'.format(path, quoted(name)))
    extent, spread, setback, clearance, clearance_max = (float(v) for v in lengths)
    return Ground(int(cost), extent, spread, setback, clearance, clearance_max, entry.get('moves', False))


def ground_table(traversability, names):
    """Return the GroundTable of a mapping from class id to class name; a class without an entry is unknown."""
    cost = np.full(256, UNKNOWN, np.uint8)
    moves = np.zeros(256, np.uint8)
    lengths = np.zeros((len(LENGTHS), 256))
    unnamed = []
    for number, name in names.items():
        ground = traversability.classes.get(name)
        if ground is None:
            unnamed.append(name)
            continue
        cost[number] = ground.cost
        lengths[:, number] = [getattr(ground, key) for key in LENGTHS]
        moves[number] = 255 if ground.moves else 0
    blocks = np.where((cost >= traversability.obstacle_cost) & (cost != UNKNOWN), 255, 0).astype(np.uint8)
    return GroundTable(cost, blocks, moves, *lengths, unnamed=tuple(unnamed))

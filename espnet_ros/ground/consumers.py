"""Configuration of programs that take labels, with every class of a model."""
import csv
import io

import yaml

from espnet_ros.errors import ParameterError, quoted
from espnet_ros.ground.traversability import UNKNOWN, ground_table
from espnet_ros.labels import CATEGORIES, UNLABELED
from espnet_ros.labels.autoware import CLASSES, class_of


def nav2(label_set, traversability):
    """Return the YAML of nav2's semantic_segmentation_layer: classes by their cost, 0..254."""
    table = _table(label_set, traversability)
    groups = {}
    for c in label_set.classes:
        groups.setdefault(int(table.cost[c.id]), []).append(c.name)
    unknown = groups.pop(UNKNOWN, [])
    source = {'segmentation_topic': '/espnet/labels', 'confidence_topic': '/espnet/confidence',
              'labels_topic': '/espnet/label_info', 'pointcloud_topic': '/ground/points',
              'max_obstacle_distance': 15.0, 'min_obstacle_distance': 0.3, 'tile_map_decay_time': 2.0,
              'class_types': ['cost_{}'.format(cost) for cost in sorted(groups)]}
    for cost in sorted(groups):
        value = int(round(2.54 * cost))
        source['cost_{}'.format(cost)] = {
            'classes': groups[cost], 'base_cost': value, 'max_cost': value, 'mark_confidence': 0,
            'samples_to_max_cost': 0, 'dominant_priority': cost >= traversability.obstacle_cost}
    layer = {'semantic_segmentation_layer': {
        'plugin': 'semantic_segmentation_layer::SemanticSegmentationLayer', 'enabled': True,
        'observation_sources': 'espnet', 'espnet': source}}
    head = ('# Layer of a nav2 costmap for the label set {}. Costs are those of traversability.yaml, of 254.\n'
            '# The cloud must have the size of the labels and their stamp: keep cloud_width and cloud_height at 0;\n'
            '# and confidence_threshold, since the layer takes unlabeled pixels (255) for cost 0.\n').format(
                label_set.name)
    left = '# Without a cost, and so left out: {}.\n'.format(', '.join(unknown)) if unknown else ''
    return head + left + yaml.safe_dump(layer, sort_keys=False, default_flow_style=False)


def kimera(label_set, traversability):
    """Return Kimera-Semantics' CSV for ~/color: name, color and id of each class, and of unlabeled pixels' black."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['name', 'red', 'green', 'blue', 'alpha', 'id'])
    for c in label_set.classes:
        writer.writerow([c.name] + list(c.color) + [255, c.id])
    if all(tuple(c.color) != (0, 0, 0) for c in label_set.classes):
        writer.writerow(['unlabeled', 0, 0, 0, 255, max(label_set.ids) + 1])
    return text.getvalue()


def hydra(label_set, traversability):
    """Return Hydra's label space (YAML) for ~/labels or the labels of ~/points."""
    table = _table(label_set, traversability)

    def ids(*names):
        return [c.id for c in label_set.classes if CATEGORIES[c.category] in names]
    space = {'total_semantic_labels': UNLABELED + 1,
             'dynamic_labels': [c.id for c in label_set.classes if table.moves[c.id]],
             'invalid_labels': ids('sky') + [UNLABELED], 'object_labels': ids('object', 'human', 'vehicle'),
             'surface_places_labels': ids('flat'),
             'label_names': [{'label': c.id, 'name': c.name} for c in label_set.classes]
             + [{'label': UNLABELED, 'name': 'unlabeled'}]}
    return '# Label space of {} for Hydra.\n'.format(label_set.name) + yaml.safe_dump(space, sort_keys=False,
                                                                                     default_flow_style=None)


def autoware(label_set, traversability):
    """Return the parameters (YAML) of Autoware's segmentation_pointcloud_fusion for ~/autoware/mask.

    It removes the points of classes below the obstacle cost from the obstacles.
    """
    table = _table(label_set, traversability)
    members = {name: [c for c in label_set.classes if class_of(c) == name] for name in CLASSES}
    target = {name: bool(found) and all(table.cost[c.id] != UNKNOWN and not table.blocks[c.id] for c in found)
              for name, found in members.items()}
    head = "# Autoware's segmentation_pointcloud_fusion for the label set {}; its mask is ~/autoware/mask.\n".format(
        label_set.name)
    named = ''.join('# {}: {}\n'.format(name, ', '.join(c.name for c in found))
                    for name, found in members.items() if found)
    return head + named + yaml.safe_dump({'/**': {'ros__parameters': {
        'filter_semantic_label_target': target, 'filter_distance_threshold': 60.0}}}, sort_keys=False)


CONSUMERS = {'nav2': nav2, 'kimera': kimera, 'hydra': hydra, 'autoware': autoware}
"""Functions from (LabelSet, Traversability) to text, by the consumer's name."""


def _table(label_set, traversability):
    table = ground_table(traversability, {c.id: c.name for c in label_set.classes})
    if table.unnamed:
        raise ParameterError('the traversability file does not name {}: add them to a copy of it, with --traversability'
                             .format(', '.join(quoted(name) for name in table.unnamed)))
    return table

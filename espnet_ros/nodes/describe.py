"""Prints a node's parameters, from their rules, as the YAML file in config/."""
import importlib
import sys
import textwrap

import yaml

from espnet_ros.nodes.common.parameters import constraint_text

NODES = {
    'camera': ('espnet_ros.nodes.camera.node', 'CameraParameters', 'CAMERA_RULES', 'Fixed at start'),
    'diagnostics': ('espnet_ros.nodes.diagnostics.node', 'DiagnosticsParameters', 'RULES', 'Fixed at start'),
    'ground': ('espnet_ros.nodes.ground.settings', 'GroundParameters', 'GROUND_RULES',
               'Fixed while the node is configured'),
    'segment': ('espnet_ros.nodes.segmentation.settings', 'SegmentationParameters', 'SEGMENTATION_RULES',
                'Fixed while the node is configured'),
}
"""By name of the file: module, defaults, rules, and what the group of fixed parameters is called."""


def describe(name):
    """Return the text of config/NAME.yaml: defaults, each below its description and limits."""
    module, defaults, rules, fixed = NODES[name]
    values = getattr(importlib.import_module(module), defaults)()._asdict()
    rules = getattr(importlib.import_module(module), rules)
    lines = ['# Parameters with their defaults; made by: python3 -m espnet_ros.nodes.describe {}'.format(name),
             '/**:', '  ros__parameters:']
    for title, is_fixed in ((fixed, True), ('Can change at any time', False)):
        lines += ([''] if len(lines) > 3 else []) + ['    # ' + title]
        for parameter, value in values.items():
            if rules[parameter].fixed == is_fixed:
                text = ' '.join(filter(None, [rules[parameter].description, constraint_text(rules[parameter])]))
                lines += textwrap.wrap(text, 118, initial_indent='    # ', subsequent_indent='    # ')
                value = list(value) if isinstance(value, tuple) else value
                lines.append('    ' + yaml.safe_dump({parameter: value}, default_flow_style=False).rstrip())
    return '\n'.join(lines) + '\n'


def main():
    """Print the file that the command line names; return the exit code."""
    if len(sys.argv) != 2 or sys.argv[1] not in NODES:
        sys.stderr.write('name one of: {}\n'.format(', '.join(NODES)))
        return 2
    sys.stdout.write(describe(sys.argv[1]))
    return 0


if __name__ == '__main__':
    sys.exit(main())

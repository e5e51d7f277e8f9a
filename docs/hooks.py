"""MkDocs hooks: pages generated from the code, and links that also work in the repository."""
import argparse
import importlib
import pathlib
import re

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).resolve().parents[1]
REPOSITORY_LINKS = (('../README.md', 'index.md'), ('../CONTRIBUTING.md', 'contributing.md'))


def on_files(files, config):
    """Add the generated pages."""
    pages = {'index.md': _front_page(), 'contributing.md': (ROOT / 'CONTRIBUTING.md').read_text(encoding='utf-8'),
             'reference/commands.md': commands(), 'reference/parameters.md': parameters()}
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Turn links into the repository into links into the site."""
    for link, target in REPOSITORY_LINKS:
        markdown = markdown.replace('({}'.format(link), '({}'.format(target))
    return markdown.replace('(docs/', '(')


def commands():
    """Return the page of all commands: what each says of itself with --help."""
    from espnet_ros.cli import COMMANDS
    parts = ['# Commands\n\nThe command line is `espnet-ros`; after colcon, `ros2 run espnet_ros espnet-ros`.\n']
    for name, what in COMMANDS.items():
        module = importlib.import_module('espnet_ros.cli.' + name)
        parser = argparse.ArgumentParser(prog='espnet-ros ' + name, description=module.DESCRIPTION,
                                         formatter_class=argparse.RawDescriptionHelpFormatter)
        module.add_arguments(parser)
        parts.append('## {}\n\n{}.\n\n```text\n{}```\n'.format(name, what[0].upper() + what[1:], parser.format_help()))
    return '\n'.join(parts)


def parameters():
    """Return the page of all nodes' parameters, from their rules."""
    from espnet_ros.nodes.describe import NODES, describe
    parts = ['# Parameters\n\nThe files in `config/` hold all parameters with their defaults; `ros2 param describe` '
             'tells the same of a running node. A value that is wrong is refused with a reason.\n']
    for name in NODES:
        parts.append('## {}.yaml\n\n```yaml\n{}```\n'.format(name, describe(name)))
    return '\n'.join(parts)


def _front_page():
    """Return the README, whose links lead into the site."""
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    return re.sub(r'\]\((LICENSE|SECURITY\.md|CHANGELOG\.rst|examples/[^)]*|QUALITY_DECLARATION\.md)\)', ']', text)

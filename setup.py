"""What the package is: for colcon in a ROS 2 workspace, and for pip."""
import glob
import os
import runpy
import sys

from setuptools import find_packages, setup

NAME = 'espnet_ros'


def files_in(folder):
    """Paths of the files directly in a folder, in a fixed order."""
    return sorted(path for path in glob.glob(os.path.join(folder, '*')) if os.path.isfile(path))


def requirements(extra):
    """Lines of requirements/<extra>.txt and of the files that it includes.

    Only a wheel names them. colcon runs the commands install and develop, and leaves dependencies to rosdep: Debian's
    OpenCV, for one, is registered with pip under no name, and on Python 3.6 the programs that setuptools writes check
    at start that all requirements are registered.
    """
    if not {'bdist_wheel', 'dist_info', 'editable_wheel'} & set(sys.argv):
        return []
    with open(os.path.join('requirements', extra + '.txt')) as stream:
        lines = [line.strip() for line in stream if line.strip() and not line.startswith('#')]
    found = [line for line in lines if not line.startswith('-r ')]
    for line in lines:
        if line.startswith('-r '):
            found += requirements(line[len('-r '):-len('.txt')])
    return sorted(set(found))


setup(
    name=NAME,
    version=runpy.run_path(os.path.join(NAME, '__init__.py'))['__version__'],
    description='Semantic segmentation of camera images on a robot with ESPNet',
    author='espnet_ros contributors',
    maintainer='espnet_ros contributors',
    license='MIT',
    packages=find_packages(include=[NAME, NAME + '.*']),
    package_data={NAME + '.engine': ['pictures/*'], NAME + '.reports': ['templates/*'],
                  NAME + '.paper': ['*.yaml', '*.html', 'trained/*.json'],
                  NAME + '.view': ['page.html']},
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/' + NAME]),
        ('share/' + NAME, ['package.xml']),
    ] + [('share/{}/{}'.format(NAME, folder), files_in(folder))
         for folder in ('config', 'config/nav2', 'config/train', 'launch', 'models')],
    python_requires='>=3.6',
    install_requires=requirements('base'),
    extras_require=dict({extra: requirements(extra) for extra in (
        'completion', 'cpu', 'eval', 'gpu', 'quantize', 'ros', 'slides', 'train')},
                        test=requirements('test') or ['pytest']),  # colcon test looks for pytest here
    zip_safe=True,
    entry_points={'console_scripts': [
        'camera_node = espnet_ros.nodes.camera.__main__:main',
        'diagnostics_node = espnet_ros.nodes.diagnostics.__main__:main',
        'espnet-ros = espnet_ros.cli:main',
        'ground_node = espnet_ros.nodes.ground.__main__:main',
        'segmentation_node = espnet_ros.nodes.segmentation.__main__:main',
    ]},
)

"""What the package is: for colcon in a ROS 2 workspace, and for pip."""
import glob
import os
import runpy

from setuptools import find_packages, setup

NAME = 'espnet_ros'


def files_in(folder):
    """Paths of the files directly in a folder, in a fixed order."""
    return sorted(path for path in glob.glob(os.path.join(folder, '*')) if os.path.isfile(path))


setup(
    name=NAME,
    version=runpy.run_path(os.path.join(NAME, '__init__.py'))['__version__'],
    description='Semantic segmentation of camera images on a robot with ESPNet',
    author='espnet_ros contributors',
    author_email='maintainers@espnet-ros.example',
    maintainer='espnet_ros contributors',
    maintainer_email='maintainers@espnet-ros.example',
    license='MIT',
    packages=find_packages(include=[NAME, NAME + '.*']),
    package_data={NAME + '.engine': ['pictures/*'], NAME + '.evaluation': ['templates/*'],
                  NAME + '.view': ['page.html']},
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/' + NAME]),
        ('share/' + NAME, ['package.xml']),
    ] + [('share/{}/{}'.format(NAME, folder), files_in(folder))
         for folder in ('config', 'config/train', 'launch', 'models')],
    python_requires='>=3.6',
    install_requires=['setuptools'],
    extras_require={'test': ['pytest']},
    zip_safe=True,
    entry_points={'console_scripts': [
        'camera_node = espnet_ros.nodes.camera.__main__:main',
        'diagnostics_node = espnet_ros.nodes.diagnostics.__main__:main',
        'espnet-ros = espnet_ros.cli:main',
        'segmentation_node = espnet_ros.nodes.segmentation.__main__:main',
    ]},
)

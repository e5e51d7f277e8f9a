"""The ground node's parameters, their defaults and their rules."""
import typing

from espnet_ros.nodes.common.parameters import Rule


class GroundParameters(typing.NamedTuple):
    """Parameters of the ground node with their defaults."""

    autostart: bool = True
    label_source: str = 'labels'
    traversability: str = ''
    pose_source: str = 'auto'
    base_frame: str = 'base_link'
    scan_frame: str = 'camera_foot'
    camera_x: float = 0.0
    camera_y: float = 0.0
    camera_height: float = 0.0
    camera_pitch: float = 0.0
    camera_roll: float = 0.0
    camera_yaw: float = 0.0
    rectified: bool = False
    use_imu: bool = False
    max_range: float = 20.0
    pitch_error: float = 0.5
    trusted_error: float = 0.25
    grid_size: float = 30.0
    grid_resolution: float = 0.1
    grid_decay: float = 5.0
    cloud_width: int = 0
    cloud_height: int = 0
    max_rate: float = 0.0
    sync_slop: float = 0.05
    jpeg_quality: int = 80


GROUND_RULES = {
    'autostart': Rule('Configure and activate at start; false: a lifecycle manager does that.', fixed=True),
    'label_source': Rule('What `labels` carries: ids that `label_map` names, or Cityscapes categoryIds.',
                         choices=('labels', 'categories'), fixed=True),
    'traversability': Rule('YAML file with the cost of each class; empty: the shipped traversability.yaml.',
                           fixed=True),
    'pose_source': Rule('Where the camera pose comes from; auto: the parameters when camera_height is set, else TF.',
                        choices=('auto', 'tf', 'parameters'), fixed=True),
    'base_frame': Rule('Frame of the robot; its z = 0 is the ground.', fixed=True),
    'scan_frame': Rule('Frame of the scan: level, on the ground below the camera, x below the optical axis.',
                       fixed=True),
    'camera_x': Rule('Meters that the camera is ahead of base_frame.', -100, 100, fixed=True),
    'camera_y': Rule('Meters that the camera is to the left of base_frame.', -100, 100, fixed=True),
    'camera_height': Rule('Meters that the camera is above the ground; 0: not told.', 0, 1000, fixed=True),
    'camera_pitch': Rule('Degrees that the camera looks down.', -90, 90, fixed=True),
    'camera_roll': Rule('Degrees that the camera is rolled to its right.', -180, 180, fixed=True),
    'camera_yaw': Rule('Degrees that the camera looks to the left.', -180, 180, fixed=True),
    'rectified': Rule('The images are rectified (image_rect): P of camera_info counts, and no distortion.',
                      fixed=True),
    'use_imu': Rule('Correct pitch and roll of the robot with the orientation in `imu`.', fixed=True),
    'max_range': Rule('Meters up to which scan and grid reach; less where pitch_error makes ranges untrusted.', 0.5,
                      200, fixed=True),
    'pitch_error': Rule('Standard error of the camera\'s pitch in degrees.', 0, 10, fixed=True),
    'trusted_error': Rule('Ranges whose standard error is a larger share than this are unknown.', 0.01, 1, fixed=True),
    'grid_size': Rule('Edge length of the grid in meters.', 1, 400, fixed=True),
    'grid_resolution': Rule('Meters per cell of the grid.', 0.02, 5, fixed=True),
    'grid_decay': Rule('Seconds until what is out of sight is forgotten to 1/e; 0: never.', 0, 3600, fixed=True),
    'cloud_width': Rule('Columns of the organized cloud; 0: those of the labels.', 0, 4096, fixed=True),
    'cloud_height': Rule('Rows of the organized cloud; 0: those of the labels.', 0, 4096, fixed=True),
    'max_rate': Rule('Label images used per second at most; 0: all of them.', 0, 1000),
    'sync_slop': Rule('Seconds by which stamps of depth, points, imu and odom may differ from the labels\'.', 0, 10),
    'jpeg_quality': Rule('JPEG quality of ~/overlay/compressed.', 1, 100),
}

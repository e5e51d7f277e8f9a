"""One label image to everything that somebody subscribes to."""
import math
import time

import cv2
import numpy as np
from geometry_msgs.msg import PolygonStamped
from nav_msgs.msg import OccupancyGrid, Odometry
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, Imu, LaserScan, PointCloud2
from std_msgs.msg import Header, String

from espnet_ros.errors import EspnetError, ImageError, ParameterError
from espnet_ros.ground import cloud, overlay
from espnet_ros.ground.grid import Grid
from espnet_ros.ground.lens import info_to_lens
from espnet_ros.ground.level import LevelView, trusted_range
from espnet_ros.ground.pose import quaternion_to_matrix
from espnet_ros.ground.scan import Scanner
from espnet_ros.ground.traversability import ground_table, read_traversability
from espnet_ros.images.depth import image_to_depth
from espnet_ros.labels import CATEGORY_SET
from espnet_ros.labels.label_map import label_map_to_set
from espnet_ros.nodes.common.geometry_messages import depth_to_image, points_to_cloud
from espnet_ros.nodes.common.messages import (
    array_to_image,
    bgr_to_compressed,
    image_to_bgr,
    picture_size,
    scale_camera_info,
    stamp_to_seconds,
)
from espnet_ros.nodes.ground import messages
from espnet_ros.nodes.ground.frames import tilt_of
from espnet_ros.nodes.ground.inputs import LATCHED_QOS, Input

OUTPUTS = {'scan': LaserScan, 'free_space': PolygonStamped, 'grid': OccupancyGrid, 'overlay': Image,
           'overlay/compressed': CompressedImage, 'points': PointCloud2, 'ground_points': PointCloud2,
           'obstacle_points': PointCloud2, 'depth_static': Image}
"""Topics below the node's name."""
_CLOUDS = ('points', 'ground_points', 'obstacle_points')
_OVERLAYS = ('overlay', 'overlay/compressed')
INPUTS = {
    'camera_info': (CameraInfo, 30, tuple(OUTPUTS)), 'image': (Image, 20, _OVERLAYS + _CLOUDS),
    'confidence': (Image, 5, _CLOUDS), 'depth': (Image, 20, _CLOUDS + ('depth_static',)),
    'points': (PointCloud2, 20, _CLOUDS), 'odom': (Odometry, 100, ('grid',)), 'imu': (Imu, 300, tuple(OUTPUTS))}
"""Type, messages kept and the outputs that need it, for each input beside `labels` and `label_map`."""


class Processing:
    """The state between label images: views of the ground, grid, and what is wrong with each input."""

    def __init__(self, node, settings, poses, publishers, traversability, on_pose=None):
        """settings: returns GroundParameters. poses: frames.Poses. publishers: of OUTPUTS, by name.

        traversability: path of the YAML file. on_pose: called with each label image's CameraPose, without the tilt of
        the IMU, and its stamp; None for nobody. Raises ParameterError.
        """
        self.processed = 0
        self.problems = {}
        self.reach = 0.0
        self._due = 0.0
        self._late = None
        self._wanted = set()
        self._node, self._settings, self._poses, self._publishers = node, settings, poses, publishers
        self._on_pose = on_pose
        self._traversability = read_traversability(traversability)
        self._table = None
        self._view_key = self._scanner = self._maker = None
        value = settings()
        self._grid = Grid(value.grid_size, value.grid_resolution, value.grid_decay)
        self._grid_frame = None
        self._inputs = {}
        self._labels = self._label_map = None
        if value.label_source == 'categories':
            self._use(CATEGORY_SET)

    def open(self):
        """Start to listen, as far as somebody listens."""
        if self._settings().label_source == 'labels':
            self._label_map = self._node.create_subscription(String, 'label_map', self._on_label_map, LATCHED_QOS)
        self.adapt()

    def close(self):
        """Stop listening."""
        for source in list(self._inputs.values()) + ([self._labels] if self._labels else []):
            source.close()
        if self._label_map is not None:
            self._node.destroy_subscription(self._label_map)
        self._inputs, self._labels, self._label_map, self._late = {}, None, None, None

    def adapt(self):
        """Subscribe to what the subscribed outputs need, and to nothing else; call it now and then while open."""
        wanted = {name for name, publisher in self._publishers.items() if publisher.get_subscription_count()}
        self._wanted = wanted
        for name, (kind, depth, outputs) in INPUTS.items():
            needed = bool(wanted & set(outputs)) and (name != 'imu' or self._settings().use_imu)
            if needed and name not in self._inputs:
                self._inputs[name] = Input(self._node, kind, name, depth,
                                           self._on_image if name == 'image' else None)
            elif not needed and name in self._inputs:
                self._inputs.pop(name).close()
        if 'image' not in self._inputs:
            self._late = None
        if wanted and self._labels is None:
            self._labels = Input(self._node, Image, 'labels', 1, self.process)
        elif not wanted and self._labels is not None:
            self._labels.close()
            self._labels = None
        for source in list(self._inputs.values()) + ([self._labels] if self._labels else []):
            source.adapt()

    @property
    def labels_input(self):
        """The Input of the labels, None while nobody subscribes to an output."""
        return self._labels

    def process(self, message):
        """Publish everything for one sensor_msgs/Image of labels; what cannot be made becomes a problem.

        An overlay waits for its image until the next labels: a large message can come later than what was made of it.
        """
        now, rate = time.monotonic(), self._settings().max_rate
        if rate > 0 and now < self._due:
            return
        self.problems = {}
        if self._late is not None:
            self._make(*self._late)
        late = self._wanted & set(_OVERLAYS)
        self._late = (message, late) if late and self._inputs['image'].at(message.header.stamp) is None else None
        if self._make(message, self._wanted - late if self._late else self._wanted):
            self.processed += 1
            if rate > 0:
                self._due = max(self._due + 1.0 / rate, now + 0.5 / rate)  # labels jitter

    def _make(self, message, wanted):
        """Publish these outputs; return whether the labels can be used."""
        try:
            labels = messages.image_to_labels(message)
            lens, pose = self._camera(message, labels)
            self._prepare(lens, pose)
        except EspnetError as error:
            self.problems['labels'] = str(error)
            return False
        header = message.header
        for names, make in (((('scan', 'free_space', 'grid') + _OVERLAYS), self._ground), (_CLOUDS, self._clouds),
                            (('depth_static',), self._static)):
            if wanted & set(names):
                try:
                    make(wanted, header, labels, lens, pose)
                except EspnetError as error:
                    self.problems[names[0]] = str(error)
        return True

    def _on_image(self, image):
        if self._late is not None and self._late[0].header.stamp == image.header.stamp:
            late, self._late = self._late, None
            self._make(*late)

    def _on_label_map(self, message):
        try:
            self._use(label_map_to_set(message.data, self._label_map.topic_name))
            self.problems.pop('label_map', None)
        except EspnetError as error:
            self.problems['label_map'] = str(error)

    def _use(self, label_set):
        self._table = ground_table(self._traversability, {c.id: c.name for c in label_set.classes})
        self._view_key = None
        if self._table.unnamed:
            self._node.get_logger().warning(
                'the traversability file does not name {}: these classes count as unknown ground; add them'.format(
                    ', '.join(self._table.unnamed)))

    def _camera(self, message, labels):
        """Return Lens and CameraPose of a label image. Raises EspnetError."""
        if self._table is None:
            raise ParameterError('no label map has come on {}: remap `label_map` to ~/label_map of the segmentation '
                                 'node, or set label_source to categories'.format(self._label_map.topic_name))
        stamp = message.header.stamp
        source = self._inputs.get('camera_info')
        info = source and (source.at(stamp) or source.newest())
        if info is None:
            raise ParameterError('no camera_info has come on {}: remap `camera_info` to ~/camera_info of the '
                                 'segmentation node'.format(source.topic if source else 'camera_info'))
        if picture_size(info) != (message.width, message.height):
            raise ParameterError('labels are {}x{} and camera_info {}x{}: remap `camera_info` to ~/camera_info of the '
                                 'segmentation node, which fits its outputs'.format(
                                     message.width, message.height, *picture_size(info)))
        if picture_size(info) != (info.width, info.height):
            info = scale_camera_info(info, message.width, message.height, whole=True)
        lens = info_to_lens(info, self._settings().rectified)
        pose = self._poses.camera(message.header.frame_id, stamp)
        if self._on_pose is not None:
            self._on_pose(pose, stamp)
        if self._settings().use_imu:
            imu, apart = self._inputs['imu'].near(stamp, self._settings().sync_slop)
            if imu is None:
                raise ParameterError('no imu message {}: compare its clock with the camera\'s, or set use_imu to '
                                     'false'.format('has come on ' + self._inputs['imu'].topic if apart is None else
                                                    'within {:g} s of the labels ({:.3f} s apart)'.format(
                                                        self._settings().sync_slop, apart)))
            pose = pose.tilted(tilt_of(imu))
        return lens, pose

    def _prepare(self, lens, pose):
        """Make the tables of a lens and pose, unless they are those of the last image. Raises ParameterError."""
        # A thousandth of a radian moves a contact 10 m away by 7 cm: less than a cell.
        key = lens, tuple(np.round(pose.rotation.ravel(), 4)), tuple(np.round(pose.position, 3))
        if key == self._view_key:
            return
        value = self._settings()
        limit = trusted_range(pose.height, math.radians(value.pitch_error), value.trusted_error) \
            if pose.height > 0 else value.max_range
        self.reach = min(value.max_range, limit)
        self._scanner = Scanner(LevelView(lens, pose, self.reach), self._table)
        self._view_key = key

    def _ground(self, wanted, header, labels, lens, pose):
        level = self._scanner.look(labels)
        contacts = self._scanner.contacts(level)
        foot = Header(stamp=header.stamp, frame_id=self._settings().scan_frame)
        if 'scan' in wanted:
            self._publish('scan', messages.scan_to_message(self._scanner.scan(contacts), foot))
        if 'free_space' in wanted:
            self._publish('free_space', messages.polygon_to_message(self._scanner.free_space(contacts), foot))
        if 'grid' in wanted:
            frame, place = self._foot(header.stamp, pose)
            self._grid.update(self._scanner, level, contacts, place, stamp_to_seconds(header.stamp))
            self._publish('grid', messages.grid_to_message(self._grid, frame, header.stamp))
        if wanted & set(_OVERLAYS):
            picture = overlay.draw(self._image(header, labels.shape), self._scanner.view, contacts)
            if 'overlay' in wanted:
                self._publish('overlay', array_to_image(picture, 'bgr8', header))
            if 'overlay/compressed' in wanted:
                self._publish('overlay/compressed', bgr_to_compressed(picture, self._settings().jpeg_quality, header))

    def _foot(self, stamp, pose):
        """Return the grid's frame, and (x, y, yaw) of the camera's foot in it."""
        x, y, yaw = float(pose.position[0]), float(pose.position[1]), pose.yaw
        odom, apart = self._inputs['odom'].near(stamp, self._settings().sync_slop)
        if odom is None and apart is not None:
            raise ParameterError('no odometry within {:g} s of the labels ({:.3f} s apart): compare the clocks, or '
                                 'raise sync_slop'.format(self._settings().sync_slop, apart))
        if odom is None:
            self._grid.clear()  # without odometry nothing tells how what was seen has moved
            self._grid_frame = None
            return self._settings().base_frame, (x, y, yaw)
        if odom.header.frame_id != self._grid_frame:
            self._grid.clear()
            self._grid_frame = odom.header.frame_id
        q, p = odom.pose.pose.orientation, odom.pose.pose.position
        rotation = quaternion_to_matrix(q.x, q.y, q.z, q.w)
        if rotation is None or not (math.isfinite(p.x) and math.isfinite(p.y)):
            raise ParameterError('the pose in odom is no rotation and translation: look at who publishes it')
        turned = math.atan2(rotation[1, 0], rotation[0, 0])
        c, s = math.cos(turned), math.sin(turned)
        return self._grid_frame, (p.x + c * x - s * y, p.y + s * x + c * y, turned + yaw)

    def _image(self, header, shape):
        message = self._inputs['image'].at(header.stamp)
        if message is None:
            raise ImageError('no image with the stamp of the labels has come on {}: remap `image` to the camera that '
                             'the segmentation node listens to'.format(self._inputs['image'].topic))
        image = image_to_bgr(message)
        if image.shape[:2] != shape:
            image = cv2.resize(image, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
        return image

    def _depth(self, header, labels):
        """Return the depth image (array, header) of a label image, None without any depth. Raises EspnetError."""
        message, apart = self._inputs['depth'].near(header.stamp, self._settings().sync_slop)
        if message is None and apart is None:
            return None
        if message is None:
            raise ImageError('no depth within {:g} s of the labels ({:.3f} s apart): compare the clocks, or raise '
                             'sync_slop'.format(self._settings().sync_slop, apart))
        depth = image_to_depth(message)
        if depth.shape != labels.shape:
            raise ImageError('depth is {}x{} and the labels {}x{}: align depth to the color image (align_depth, '
                             'depth_image_proc register) and use output_size camera'.format(
                                 *(depth.shape[::-1] + labels.shape[::-1])))
        valid = depth > 0 if depth.dtype.kind == 'u' else np.isfinite(depth)
        if not valid.any():
            raise ImageError('the depth image has no valid pixel; look at the depth camera and its range')
        return depth

    def _clouds(self, wanted, header, labels, lens, pose):
        value = self._settings()
        confidence = self._inputs['confidence'].at(header.stamp)
        confidence = None if confidence is None else messages.image_to_labels(confidence)
        if confidence is not None and confidence.shape != labels.shape:
            confidence = None
        has_image = self._inputs['image'].at(header.stamp) is not None
        image = self._image(header, labels.shape) if has_image else None
        depth = self._depth(header, labels)
        if depth is not None:
            key = lens, value.cloud_width, value.cloud_height
            if self._maker is None or self._maker[0] != key:
                self._maker = key, cloud.CloudMaker(lens, value.cloud_width, value.cloud_height)
            points = self._maker[1].from_depth(depth, labels, image, confidence)
            frame, rotation, height = header, pose.level_rotation(), pose.height
        else:
            points, frame, rotation, height = self._from_lidar(header, labels, lens, pose, image, confidence)
        if 'points' in wanted:
            self._publish('points', points_to_cloud(points, frame))
        if wanted & {'ground_points', 'obstacle_points'}:
            parts = cloud.split(points, self._table, rotation, height)
            self._publish('ground_points', points_to_cloud(parts.ground, frame))
            self._publish('obstacle_points', points_to_cloud(parts.obstacles, frame))

    def _from_lidar(self, header, labels, lens, pose, image, confidence):
        source = self._inputs['points']
        message, apart = source.near(header.stamp, self._settings().sync_slop)
        if message is None:
            raise ImageError('neither depth nor a cloud has come on {} and {}: remap `depth` or `points`'.format(
                self._inputs['depth'].topic, source.topic) if apart is None else
                'no cloud within {:g} s of the labels ({:.3f} s apart): compare the clocks, or raise sync_slop'.format(
                    self._settings().sync_slop, apart))
        rotation, translation = self._poses.to_camera(message.header.frame_id, header.frame_id, pose,
                                                      message.header.stamp)
        points = cloud.from_points(cloud.cloud_to_points(message), rotation, translation, lens, labels, image,
                                   confidence)
        level = pose.level_rotation()
        height = pose.height + float(level.dot(translation)[2])
        return points, Header(stamp=header.stamp, frame_id=message.header.frame_id), level.dot(rotation), height

    def _static(self, wanted, header, labels, lens, pose):
        depth = self._depth(header, labels)
        if depth is None:
            raise ImageError('no depth has come on {}: remap `depth` to a depth image aligned to the camera'.format(
                self._inputs['depth'].topic))
        self._publish('depth_static', depth_to_image(cloud.without_moving(depth, labels, self._table), header))

    def _publish(self, name, message):
        publisher = self._publishers[name]
        if publisher.get_subscription_count():
            publisher.publish(message)

"""A synthetic street with exact ground truth: the camera when there is none."""
from espnet_ros.scene.street import Street, StreetFrame, mount_of

__all__ = ['Street', 'StreetFrame', 'mount_of']

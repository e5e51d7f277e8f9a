"""A node that slows a robot down where the ground ahead is not free; ends cleanly on Ctrl-C."""
import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Float32


class FreeGround(Node):
    """Publishes how much of the lower third of the image, in its middle columns, is flat ground: 0 to 1."""

    def __init__(self):
        super().__init__('free_ground')
        self.publisher = self.create_publisher(Float32, 'free_ground', 1)
        self.create_subscription(Image, '/espnet/mask/flat', self.on_mask, 1)

    def on_mask(self, message):
        # message.header.stamp is the stamp of the camera image: the time at which the world looked like this.
        mask = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width)
        ahead = mask[2 * message.height // 3:, message.width // 3:2 * message.width // 3]
        self.publisher.publish(Float32(data=float(np.mean(ahead == 255))))


rclpy.init()
node = FreeGround()
try:
    rclpy.spin(node)
except (KeyboardInterrupt, ExternalShutdownException):
    pass
except Exception:
    if rclpy.ok():  # else a callback was still publishing when the node was told to end
        raise
finally:
    node.destroy_node()
    rclpy.try_shutdown()

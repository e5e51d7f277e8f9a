"""A lifecycle node on every ROS 2 distribution."""
import enum

try:
    from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
except ImportError:  # rclpy before Humble: no lifecycle services, the node can only start itself
    from rclpy.node import Node

    class TransitionCallbackReturn(enum.Enum):
        """How a transition went."""

        SUCCESS = 0
        FAILURE = 1
        ERROR = 2

    class LifecycleNode(Node):
        """A node whose transitions run when its own process triggers them."""

        def trigger_configure(self):
            """Go from unconfigured to inactive."""
            return self.on_configure(None)

        def trigger_activate(self):
            """Go from inactive to active."""
            return self.on_activate(None)

__all__ = ['LifecycleNode', 'TransitionCallbackReturn']

"""Lifecycle nodes on every ROS 2 distribution."""
import enum
import functools
import traceback

from rclpy.clock import Clock, ClockType

from espnet_ros.errors import EspnetError

try:
    import rclpy.lifecycle as _rclpy_lifecycle
    from rclpy.lifecycle import TransitionCallbackReturn
except ImportError:  # rclpy before Humble: no lifecycle services, the node can only start itself
    from rclpy.node import Node

    class TransitionCallbackReturn(enum.Enum):
        """Result of a transition."""

        SUCCESS = 0
        FAILURE = 1
        ERROR = 2

    class LifecycleNode(Node):
        """A node whose transitions run when its own process triggers them."""

        problem = ''
        retry = unlock = 'start the node again'
        is_managed = False

        def trigger_configure(self):
            """Go from unconfigured to inactive."""
            return self._trigger(self.on_configure)

        def trigger_activate(self):
            """Go from inactive to active."""
            return self._trigger(self.on_activate)

        def _trigger(self, callback):
            result = callback(None)
            if result == TransitionCallbackReturn.ERROR:
                self.on_error(None)
            return result
else:
    class LifecycleNode(_rclpy_lifecycle.LifecycleNode):
        """rclpy's lifecycle node, except that it refuses a transition that its state does not have.

        is_managed: whether others can ask for transitions. problem: why the last transition failed, a sentence; empty
        when it went well. retry: how to try again. unlock: how to get to where fixed parameters can change.
        """

        is_managed = True
        problem = ''
        retry = 'ros2 lifecycle set NODE configure, then activate'
        unlock = 'clean the node up first: ros2 lifecycle set NODE deactivate, then cleanup'

        def __init__(self, name, **options):
            super().__init__(name, **options)
            change_state = self._service_change_state.callback

            def change_state_or_refuse(request, response):
                try:
                    return change_state(request, response)
                except RuntimeError as error:  # up to Kilted rclpy would end the node
                    self.get_logger().warning('refused a change of state: {}'.format(str(error).split(', at ')[0]))
                    response.success = False
                    return response
            self._service_change_state.callback = change_state_or_refuse


def transition(callback):
    """Decorate an on_... method that returns nothing: what it raises becomes a log entry and the transition's result.

    An EspnetError is a FAILURE, which leaves the node in the state it was in. Anything else is an ERROR.
    """
    @functools.wraps(callback)
    def guarded(self, state):
        self.problem = ''
        try:
            callback(self, state)
        except EspnetError as error:
            self.problem = str(error)
            self.get_logger().error('cannot {}: {}'.format(callback.__name__[len('on_'):], error))
            return TransitionCallbackReturn.FAILURE
        except Exception as error:  # rclpy would ignore it silently
            self.problem = repr(error)
            self.get_logger().error('{} failed: {}'.format(callback.__name__, traceback.format_exc()))
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS
    return guarded


class SelfStartingNode(LifecycleNode):
    """A lifecycle node that can configure and activate itself, and releases everything in one method.

    Subclasses have on_configure, on_activate, on_deactivate, is_configured, and release, which may come at any time.
    """

    def start_soon(self):
        """Configure and activate as soon as the executor spins, unless a lifecycle manager was faster."""
        self._autostart = self.create_timer(0.0, self._on_autostart, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _on_autostart(self):
        self.destroy_timer(self._autostart)
        if self.is_configured:
            return
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()
        else:
            self.get_logger().error('not started; fix the above, then: {}'.format(
                self.retry.replace('NODE', self.get_fully_qualified_name())))

    @transition
    def on_cleanup(self, _state):
        """Release everything that on_configure acquired."""
        self.release()

    @transition
    def on_shutdown(self, _state):
        """As on_cleanup, from any state."""
        self.release()

    def on_error(self, _state):
        """Return to unconfigured after an unexpected error."""
        self.release()
        return TransitionCallbackReturn.SUCCESS

    def destroy_node(self):
        """Release everything before the node is destroyed."""
        self.release()
        return super().destroy_node()


__all__ = ['LifecycleNode', 'SelfStartingNode', 'TransitionCallbackReturn', 'transition']

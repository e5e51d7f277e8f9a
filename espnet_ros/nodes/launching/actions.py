"""A Plan as actions of ROS 2 launch."""
import os
import typing

from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.event_handlers import OnProcessExit
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue


def describe(arguments, plan):
    """Return the LaunchDescription of a launch file.

    arguments: function from the folder of configuration files to its Arguments. plan: one of the functions in `plans`.
    """
    config = os.path.join(get_package_share_directory('espnet_ros'), 'config')

    def start(context):
        return actions(plan(dict(context.launch_configurations), config, has_package))

    return LaunchDescription([
        DeclareLaunchArgument(argument.name, default_value=argument.default, description=argument.description)
        for argument in arguments(config)] + [OpaqueFunction(function=start)])


def has_package(name):
    """Return whether a ROS package is installed."""
    try:
        return bool(get_package_prefix(name))
    except PackageNotFoundError:
        return False


def actions(plan):
    """Return the actions of a Plan."""
    found = [LogInfo(msg=note) for note in plan.notes]
    for node in plan.nodes:
        found.append(Node(
            package=node.package, executable=node.executable, name=node.name, namespace=node.namespace,
            parameters=[_typed(parameters) for parameters in node.parameters], remappings=list(node.remappings),
            arguments=list(node.arguments), additional_env=plan.environment, respawn=node.respawn, respawn_delay=2.0,
            output='screen', emulate_tty=True))
    if plan.command:
        command = ExecuteProcess(
            cmd=list(plan.command), name='evaluation', additional_env=plan.environment, output='screen')
        found += [RegisterEventHandler(OnProcessExit(target_action=command, on_exit=end)), command]
    return found


def end(event, context):
    """Shut down when the command has ended. When it failed, the error makes `ros2 launch` exit with status 1."""
    if event.returncode:
        raise RuntimeError('{} ended with exit code {}'.format(event.process_name, event.returncode))
    return [Shutdown(reason='the command has ended')]


def _typed(parameters):
    """Keep strings strings: launch takes '007' for a number otherwise."""
    if not isinstance(parameters, dict):
        return parameters
    return {name: ParameterValue(list(value), value_type=typing.List[str]) if isinstance(value, tuple)
            else ParameterValue(value, value_type=type(value)) for name, value in parameters.items()}

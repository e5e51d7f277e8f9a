"""ROS 2 launch in small: as strict about arguments as the real one, and without processes.

Like the real one it visits entities in order, so what was started before an error goes on.
"""
import os
import types
import typing


class PackageNotFoundError(KeyError):
    """A ROS package is not installed."""


class Action:
    """Takes the keyword arguments in `known` with these types, and no others."""

    known = {}
    required = ()

    def __init__(self, **given):
        for name, value in given.items():
            if name not in self.known:
                raise TypeError('{} got an unexpected keyword argument {!r}'.format(type(self).__name__, name))
            if not isinstance(value, self.known[name]):
                raise TypeError('{}: {} is {!r}'.format(type(self).__name__, name, value))
        for name in self.required:
            if name not in given:
                raise TypeError('{} needs {}'.format(type(self).__name__, name))
        self.given = given


class DeclareLaunchArgument(Action):
    known = {'default_value': str, 'description': str, 'choices': list}

    def __init__(self, name, **given):
        super().__init__(**given)
        self.name = name

    def visit(self, launch):
        if self.name not in launch.configurations:
            if 'default_value' not in self.given:
                raise RuntimeError('Required launch argument {!r} was not provided.'.format(self.name))
            launch.configurations[self.name] = self.given['default_value']


class OpaqueFunction(Action):
    known = {'function': object}

    def visit(self, launch):
        return self.given['function'](types.SimpleNamespace(launch_configurations=launch.configurations))


class LogInfo(Action):
    known = {'msg': str}
    required = ('msg',)

    def visit(self, launch):
        launch.log.append(self.given['msg'])


class Process(Action):
    known = {'name': str, 'output': str, 'emulate_tty': bool, 'additional_env': dict, 'respawn': bool,
             'respawn_delay': float}

    def __init__(self, **given):
        super().__init__(**given)
        environment = given.get('additional_env', {})
        assert all(isinstance(text, str) for pair in environment.items() for text in pair)

    def visit(self, launch):
        launch.started.append(self)


class ExecuteProcess(Process):
    known = dict(Process.known, cmd=list)
    required = ('cmd',)

    def __init__(self, **given):
        super().__init__(**given)
        assert given['cmd'] and all(isinstance(word, str) for word in given['cmd'])


class Node(Process):
    known = dict(Process.known, package=str, executable=str, namespace=str, parameters=list, remappings=list,
                 arguments=list)
    required = ('executable',)

    def __init__(self, **given):
        super().__init__(**given)
        for parameters in given.get('parameters', ()):
            if isinstance(parameters, dict):
                assert parameters and all(isinstance(value, ParameterValue) for value in parameters.values())
            else:
                assert isinstance(parameters, str)
        for pair in given.get('remappings', ()):
            assert isinstance(pair, tuple) and [type(text) for text in pair] == [str, str]
        assert all(isinstance(word, str) for word in given.get('arguments', ()))

    def visit(self, launch):
        if self.given['package'] not in launch.packages:
            raise PackageNotFoundError(self.given['package'])
        super().visit(launch)

    @property
    def parameters(self):
        """Files, then the parameters that override them."""
        return [value if isinstance(value, str) else {name: typed.value for name, typed in value.items()}
                for value in self.given['parameters']]


class ParameterValue:
    def __init__(self, value, *, value_type):
        if value_type == typing.List[str]:
            assert type(value) is list and all(type(item) is str for item in value)
        else:
            assert type(value) is value_type and value_type in (str, bool, int, float)
        self.value = value


class Shutdown(Action):
    known = {'reason': str}

    def visit(self, launch):
        launch.started.clear()


class OnProcessExit(Action):
    known = {'target_action': Process, 'on_exit': object}
    required = ('on_exit',)


class RegisterEventHandler:
    def __init__(self, event_handler):
        self.handler = event_handler

    def visit(self, launch):
        launch.handlers.append(self.handler)


class LaunchDescription:
    def __init__(self, entities):
        self.entities = list(entities)


class Launch:
    """Runs a launch description. started: processes that run. log: lines. error: what ended it, or None."""

    def __init__(self, packages):
        self.packages = packages
        self.configurations, self.started, self.log, self.handlers, self.error = {}, [], [], [], None

    def run(self, description, **given):
        """Do what `ros2 launch` does with these arguments; an error stops it, not what was started before."""
        self.configurations.update(given)
        try:
            self._visit(description.entities)
        except Exception as error:
            self.error = error
        return self

    def end(self, process, code):
        """A process ends by itself, later; an error in a handler shuts down what runs."""
        self.started.remove(process)
        event = types.SimpleNamespace(returncode=code, process_name=process.given['name'] + '-1')
        try:
            for handler in self.handlers:
                if handler.given.get('target_action') in (None, process):
                    self._visit(handler.given['on_exit'](event, None) or ())
        except Exception as error:
            self.error = error
            self.started.clear()

    @property
    def nodes(self):
        """Running nodes by executable."""
        return {process.given['executable']: process for process in self.started if isinstance(process, Node)}

    def _visit(self, entities):
        for entity in entities:
            self._visit(entity.visit(self) or ())


def modules(root, packages):
    """Modules by name that stand for launch, launch_ros and ament_index_python. root: what holds config/."""
    def find(name):
        if name not in packages:
            raise PackageNotFoundError(name)
        return os.path.join(str(root), name)

    def module(**members):
        return types.SimpleNamespace(**members)
    return {
        'ament_index_python': module(), 'launch': module(LaunchDescription=LaunchDescription),
        'ament_index_python.packages': module(
            PackageNotFoundError=PackageNotFoundError, get_package_prefix=find,
            get_package_share_directory=lambda name: find(name) and str(root)),
        'launch.actions': module(
            DeclareLaunchArgument=DeclareLaunchArgument, ExecuteProcess=ExecuteProcess, LogInfo=LogInfo,
            OpaqueFunction=OpaqueFunction, RegisterEventHandler=RegisterEventHandler, Shutdown=Shutdown),
        'launch.event_handlers': module(OnProcessExit=OnProcessExit),
        'launch_ros': module(), 'launch_ros.actions': module(Node=Node),
        'launch_ros.parameter_descriptions': module(ParameterValue=ParameterValue)}

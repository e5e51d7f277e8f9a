"""An evaluation on a Ray cluster."""
import contextlib
import importlib
import os
import pickle
import typing

from espnet_ros.errors import EngineError
from espnet_ros.evaluation.workers import ATTEMPTS, Workers, call, checked

LOCAL = 'local'
"""Address of a new cluster on this machine only, which ends with the evaluation."""


class RayCluster(Workers):
    """Workers of a Ray cluster; Ray repeats the chunks of lost workers.

    address: of a running cluster, 'auto', or LOCAL. All machines see the same files under the same names, relative ones
    from the same folder. A chunk takes a CPU, or a GPU where the cluster has some and the device may be one. Raises
    EngineError.
    """

    def __init__(self, setup, address=LOCAL):
        # Read when Ray is imported: no usage reports, and a local cluster stays on the loopback interface.
        os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
        if address == LOCAL:
            os.environ.setdefault('RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER', '0')
        try:
            ray: typing.Any = importlib.import_module('ray')
        except ImportError as error:
            raise EngineError('--ray needs the package ray; install it with: pip install ray ({})'.format(error))
        self._ray = ray
        local = {'include_dashboard': False} if address == LOCAL else {}
        try:
            ray.init(address, log_to_driver=False, logging_level='error', **local)
        except Exception as error:  # Ray raises ConnectionError, RuntimeError, ValueError and its own
            raise EngineError("there is no Ray cluster at '{}': {}".format(address, str(error).split('\n')[0]))
        self._setup = ray.put(pickle.dumps(setup))
        resources = ray.cluster_resources()
        unit = 'GPU' if setup.device != 'cpu' and resources.get('GPU') else 'CPU'
        count = int(resources.get(unit, 1))
        super().__init__(count, 'on {} {}s of a Ray cluster'.format(count, unit))
        self._call = ray.remote(**{'num_{}s'.format(unit.lower()): 1}, max_retries=ATTEMPTS)(_call)

    def _map(self, function, arguments):
        folder = os.getcwd()
        arguments = {self._call.remote(folder, self._setup, function, argument): argument for argument in arguments}
        left = list(arguments)
        try:
            while left:
                finished, left = self._ray.wait(left)
                for reference in finished:
                    yield arguments[reference], checked(self._ray.get(reference))
        except self._ray.exceptions.RayError as error:
            raise EngineError('the Ray cluster could not finish a chunk: {}'.format(str(error).split('\n')[0]))
        finally:
            for reference in left:
                self._ray.cancel(reference)

    def close(self):
        """Leave the cluster; a local one ends."""
        self._ray.shutdown()


def _call(folder, setup, function, argument):
    """As workers.call, from the folder of the evaluation: a process of Ray has that in which Ray was started."""
    with contextlib.suppress(OSError):
        os.chdir(folder)
    return call(setup, function, argument)

"""All calls of TensorRT and torch2trt."""
import importlib
import inspect

from espnet_ros.engine.tensorrt.converters import register, unconverted_operations_are_errors
from espnet_ros.errors import EngineError, one_line

INPUT, OUTPUT = 'image', 'logits'

# What torch2trt and this package call, of all that TensorRT has not always had or has no longer.
_FEATURES = ('IInt8Calibrator', 'NetworkDefinitionCreationFlag.EXPLICIT_BATCH', 'BuilderFlag.FP16',
             'INetworkDefinition.add_parametric_relu', 'ResizeCoordinateTransformation.HALF_PIXEL',
             'Runtime.deserialize_cuda_engine')


class TensorRT:
    """TensorRT 8.2 to 10 with a torch2trt that fits it. version: TensorRT's, in full."""

    def __init__(self):
        """Raises EngineError when one of them is missing or does not fit."""
        self._trt = _import('tensorrt', 'on a Jetson it comes with JetPack (python3-libnvinfer), on a PC with pip '
                            'install "tensorrt<11"')
        self.version = str(self._trt.__version__)
        missing = [name for name in _FEATURES if not _has(self._trt, name)]
        if missing:
            raise EngineError('TensorRT {} has no {}, which torch2trt needs; install TensorRT 8.2 to 10'.format(
                self.version, missing[0]))
        self._torch2trt = _import('torch2trt', 'install it from its repository, NVIDIA-AI-IOT/torch2trt, and '
                                  'torchvision, which it needs up to 0.5.0')
        bindings_by_number = hasattr(self._trt.ICudaEngine, 'num_bindings')
        if not bindings_by_number and isinstance(self._torch2trt.trt_version(), str):
            # Up to 0.5.0 it compares versions as texts, by which 10 is older than 7, and knows bindings by number only.
            raise EngineError('this torch2trt is too old for TensorRT {}; install the master branch of its repository, '
                              'NVIDIA-AI-IOT/torch2trt'.format(self.version))
        register(self._torch2trt, self._trt)
        self._runtime = self._trt.Runtime(self._trt.Logger(self._trt.Logger.ERROR))

    @property
    def calibrates_single_images(self):
        """Whether calibration images are [C, H, W], as in torch2trt 0.4.0, and not batches of one."""
        return 'int8_calib_batch_size' in inspect.signature(self._torch2trt.torch2trt).parameters

    def build(self, module, example, precision, workspace, calibration=None):
        """Return an engine's bytes. Raises EngineError.

        module: in eval mode on the GPU. example: its input, with which it is traced. precision: fp32, fp16 or int8.
        workspace: most bytes that a layer may take for itself. calibration: for int8, inputs as lists of one tensor
        each, by number.
        """
        options = {'input_names': [INPUT], 'output_names': [OUTPUT], 'fp16_mode': precision != 'fp32',
                   'max_workspace_size': workspace, 'keep_network': False}
        if precision == 'int8':
            options.update(int8_mode=True, int8_calib_dataset=calibration)
        try:
            with unconverted_operations_are_errors(self._torch2trt):
                engine = self._torch2trt.torch2trt(module, [example], **options).engine
            content = None if engine is None else engine.serialize()
        except EngineError:
            raise
        except Exception as error:  # torch2trt raises whatever Python does where a converter meets the unexpected
            raise EngineError('torch2trt cannot build an engine with TensorRT {}: {}'.format(
                self.version, describe(error)))
        if content is None:
            raise self._no_engine()
        return bytes(content)

    def build_onnx(self, content, precision, workspace, calibration=None):
        """Return an engine's bytes for an ONNX file's, by TensorRT's own parser. Raises EngineError.

        Arguments are those of `build`; the file's input and output are called INPUT and OUTPUT.
        """
        trt = self._trt
        try:
            logger = trt.Logger(trt.Logger.ERROR)
            builder = trt.Builder(logger)
            network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
            parser = trt.OnnxParser(network, logger)
            if not parser.parse(content):
                raise EngineError('TensorRT {} does not take the ONNX file: {}'.format(self.version, '; '.join(
                    one_line(parser.get_error(number).desc()) for number in range(min(parser.num_errors, 3)))))
            config = builder.create_builder_config()
            if hasattr(config, 'set_memory_pool_limit'):
                config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace)
            else:  # until 8.4
                config.max_workspace_size = workspace
            if precision != 'fp32':
                config.set_flag(trt.BuilderFlag.FP16)
            if precision == 'int8':
                config.set_flag(trt.BuilderFlag.INT8)
                config.int8_calibrator = _calibrator(trt, calibration)
            made = builder.build_serialized_network(network, config)
        except EngineError:
            raise
        except Exception as error:  # of many kinds, all its own
            raise EngineError('TensorRT {} cannot build an engine: {}'.format(self.version, describe(error)))
        if made is None:
            raise self._no_engine()
        return bytes(made)

    def _no_engine(self):
        return EngineError('TensorRT {} cannot build this engine; its reason is in the log; more free memory '
                           'or another precision may help'.format(self.version))

    def load(self, content):
        """Return an engine as a function: from its input on the GPU to a tuple of tensors there. Raises EngineError.

        content: an engine's bytes.
        """
        try:
            engine = self._runtime.deserialize_cuda_engine(content)
            module = None if engine is None else self._torch2trt.TRTModule(engine, [INPUT], [OUTPUT])
        except Exception as error:
            raise EngineError('TensorRT {} cannot load the engine: {}'.format(self.version, describe(error)))
        if module is None or module.context is None:
            raise EngineError('TensorRT {} cannot load the engine; its reason is in the log'.format(self.version))
        return lambda image: _as_tuple(module(image))


def _calibrator(trt, inputs):
    """Return what gives TensorRT the inputs, lists of one tensor each, one by one."""
    class Calibrator(trt.IInt8EntropyCalibrator2):  # type: ignore[name-defined]
        def __init__(self):
            trt.IInt8EntropyCalibrator2.__init__(self)
            self._left = iter(range(len(inputs)))
            self._current = None

        def get_batch_size(self):
            return 1

        def get_batch(self, names, *_):
            number = next(self._left, None)
            if number is None:
                return None
            self._current = inputs[number][0]  # TensorRT reads from its address after this call
            return [int(self._current.data_ptr())]

        def read_calibration_cache(self):
            return None

        def write_calibration_cache(self, cache):
            pass
    return Calibrator()


def describe(error):
    """Return the first line of an error, with its kind."""
    return ': '.join([type(error).__name__] + str(error).strip().splitlines()[:1])


def _import(name, remedy):
    try:
        return importlib.import_module(name)
    except Exception as error:  # also OSError and AttributeError: libraries that are missing or do not fit
        raise EngineError('{} cannot be imported ({}); {}'.format(name, describe(error), remedy))


def _has(module, name):
    for part in name.split('.'):
        module = getattr(module, part, None)
    return module is not None


def _as_tuple(outputs):
    return outputs if isinstance(outputs, tuple) else (outputs,)

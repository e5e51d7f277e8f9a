"""All that is to be measured where there is an NVIDIA GPU: `make gpu`.

Usage: python test/support/gpu_list.py [--out gpu] [--camvid FOLDER] [--device cuda]. OUT gets a folder and a log for
each step; a step that fails does not stop the next ones. `--device cpu` goes through the same steps without a GPU.
"""
import argparse
import importlib.util
import pathlib
import subprocess
import sys
import time

NO_GPU = ('there is no NVIDIA GPU that PyTorch {} can use here (torch.cuda.is_available() is false): nothing was '
          'measured; --device cpu tries the steps on the CPU')
MODEL = 'camvid-espnet-q8'


def steps(device, out, camvid='', repeats=10):
    """Return (name, command) of each step; commands: lists of words behind `python -m`."""
    def espnet(*words):
        return ['espnet_ros.cli', *words]

    on_gpu = device != 'cpu'
    benchmark = ['benchmark', '--models', MODEL, '--device', device, '--repeats', str(repeats), '--sizes', '1024x512',
                 '480x360']
    found = [
        ('tests', ['pytest', '-q', '-n', '0', 'test/engine', 'test/deploy']),
        ('torch', espnet(*benchmark, '--backends', 'torch', '--precisions', 'fp32',
                         *(['fp16', 'bf16'] if on_gpu else []), '--out', str(out / 'torch'))),
        ('cameras', espnet(*benchmark, '--backends', 'torch', '--cameras', '4', '8', '--out', str(out / 'cameras'))),
        ('profile', espnet('profile', '--model', MODEL, '--backend', 'torch', '--device', device, '--size', '1024x512',
                           *(['--frequencies'] if on_gpu else []), '--out', str(out / 'profile')))]
    if importlib.util.find_spec('onnxruntime'):
        found.append(('onnxruntime', espnet(*benchmark, '--backends', 'onnxruntime', '--out',
                                            str(out / 'onnxruntime'))))
    if on_gpu and importlib.util.find_spec('tensorrt') and importlib.util.find_spec('torch2trt'):
        found.append(('tensorrt', espnet(*benchmark, '--backends', 'tensorrt', '--precisions', 'fp32', 'fp16', '--out',
                                         str(out / 'tensorrt'))))
        if camvid:
            found += [('tensorrt int8', espnet('build', '--model', MODEL, '--device', device, '--precision', 'int8',
                                               '--calibration', camvid + '/train')),
                      ('tensorrt int8 speed', espnet(*benchmark, '--backends', 'tensorrt', '--precisions', 'int8',
                                                     '--out', str(out / 'int8')))]
    if on_gpu and camvid:
        found.append(('train', espnet(
            'train', '--recipe', 'camvid', '--data', 'camvid:{}:train'.format(camvid), 'street:2400:640x480:1000@0.3',
            '--val', 'camvid:{}:val'.format(camvid), 'street:40:640x480:0', '--device', device, '--name',
            MODEL + '-gpu', '--out', str(out / 'train'))))
    return found


def main():
    """Run the steps and print a line for each; return 1 without a GPU or when one has failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=pathlib.Path, default=pathlib.Path('gpu'))
    parser.add_argument('--camvid', default='', help='folder of CamVid, for TensorRT in int8 and the training')
    parser.add_argument('--device', default='cuda')
    parser.add_argument('--repeats', type=int, default=10, help='turns of each benchmark')
    options = parser.parse_args()
    import torch
    if options.device != 'cpu' and not torch.cuda.is_available():
        print(NO_GPU.format(torch.__version__), file=sys.stderr)
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name, words in steps(options.device, options.out, options.camvid, options.repeats):
        log, began = options.out / (name.replace(' ', '-') + '.log'), time.monotonic()
        print('{:<20} {}'.format(name, log), end=' ', flush=True)
        with log.open('w') as stream:
            code = subprocess.run([sys.executable, '-m', *words], stdout=stream, stderr=subprocess.STDOUT).returncode
        failed += code != 0
        print('{}, {:.0f} s'.format('done' if code == 0 else 'failed ({})'.format(code), time.monotonic() - began))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())

"""A stand-in for tegrastats: an executable that replays lines, dies, hangs, prints garbage or floods, as it is told."""
import os
import pathlib
import sys
import textwrap

LINES = (
    'RAM 2969/7851MB (lfb 880x4MB) cpu [1%@2028,72%@2034,26%@2036,1%@2024] EMC 12%@1866 APE 150 GR3D 47%@1300 '
    'GPU@41.5C PMIC@100C CV0@-256C VDD_IN 3104/4029 VDD_GPU 145/207 NC 0/0',
    'RAM 2970/7851MB (lfb 880x4MB) cpu [2%@2028,70%@2034,off,off] EMC 12%@1866 APE 150 GR3D 47%@1300 '
    'GPU@41C PMIC@100C CV0@-256C VDD_IN 3100/4029 VDD_GPU 140/207 NC 0/0')
FULL = LINES[0].replace('2969/', '7700/')

_PROGRAM = """\
#!{python}
import os, sys, time
folder = os.path.dirname(os.path.abspath(__file__))
def read(name):
    with open(os.path.join(folder, name)) as stream:
        return stream.read()
with open(os.path.join(folder, 'starts'), 'a') as stream:
    stream.write(' '.join([str(os.getpid()), *sys.argv[1:]]) + '\\n')
interval = float(sys.argv[2]) / 1000
count = 0
while True:
    mode, lines = read('mode'), read('lines').splitlines()
    line = lines[count % len(lines)]
    count += 1
    if mode == 'die':
        sys.exit(3)
    elif mode == 'once':
        sys.exit(print(line, flush=True))
    elif mode == 'hang':
        time.sleep(3600)
    elif mode == 'deaf':
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(3600)
    elif mode == 'child':
        import subprocess
        subprocess.Popen(['sleep', '3600'])
        sys.exit(4)
    elif mode == 'garbage':
        sys.stdout.buffer.write(b'\\xff\\x00 what? ' * 9 + b'\\n')
    elif mode == 'endless':
        sys.stdout.buffer.write(b'x' * 1000000)
    elif mode == 'flood':
        sys.stdout.write((line + '\\n') * 500)
    else:
        print(line)
    sys.stdout.flush()
    time.sleep(0.05 if mode == 'flood' else interval)
"""


class StandIn:
    """The executable `tegrastats` in a folder of its own.

    Modes: replay, die, once (ends after a line), hang, deaf (to SIGTERM), child (dies and leaves one), garbage, endless
    (no newline), flood (10,000 lines a second).
    """

    def __init__(self, folder, lines=LINES, mode='replay'):
        self.folder = pathlib.Path(folder)
        self.path = self.folder / 'tegrastats'
        self.path.write_text(textwrap.dedent(_PROGRAM).format(python=sys.executable))
        self.path.chmod(0o755)
        self._write('lines', '\n'.join(lines))
        self.mode(mode)

    def mode(self, name):
        """Behave like this from the next line on."""
        self._write('mode', name)

    def lines(self, lines):
        """Print these lines from now on."""
        self._write('lines', '\n'.join(lines))

    @property
    def starts(self):
        """Process id and arguments of each start so far."""
        path = self.folder / 'starts'
        rows = path.read_text().splitlines() if path.exists() else []
        return [(int(row.split()[0]), row.split()[1:]) for row in rows]

    def _write(self, name, text):
        (self.folder / (name + '.new')).write_text(text)
        os.replace(self.folder / (name + '.new'), self.folder / name)

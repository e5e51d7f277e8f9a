# The ways to see it work without a ROS 2 installation; `make` alone explains them.

PYTHON ?= python3
SOURCE ?=
SECONDS ?=
CAMVID ?=
ARGS ?=
MINUTES ?= 30
SEED ?= 1
JOBS ?= $(shell nproc)

VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements/lock.txt
PIP := $(BIN)/python -m pip --disable-pip-version-check

# The wheels of ROS 2 find themselves through the environment's prefix, and talk to this machine only.
export AMENT_PREFIX_PATH := $(CURDIR)/$(VENV)
export ROS_AUTOMATIC_DISCOVERY_RANGE := LOCALHOST
export RMW_IMPLEMENTATION := rmw_fastrtps_cpp
export SOURCE CAMVID
# A ROS 2 sourced in this shell would mix its modules, libraries and discovery with the wheels'.
unexport PYTHONPATH PYTHONHOME LD_LIBRARY_PATH COLCON_PREFIX_PATH ROS_DISTRO ROS_VERSION
# The wheels set this beside LD_LIBRARY_PATH in each Python, for programs that it starts.
unexport _ROS_WHEELS_BOOTSTRAP_COMPLETE
unexport ROS_LOCALHOST_ONLY ROS_STATIC_PEERS ROS_DISCOVERY_SERVER ROS_SUPER_CLIENT
unexport FASTRTPS_DEFAULT_PROFILES_FILE FASTDDS_DEFAULT_PROFILES_FILE

define HELP
make demo    camera, segmentation, ground and diagnostics as ROS 2 nodes for some seconds; leaves pictures in demo/
             SOURCE=video.mp4   in place of the synthetic street: video, folder of images, webcam index, RTSP address
             SECONDS=20         how long
make check   layers, lint, types, Python 3.6 syntax and unit tests: the answer in about two minutes
             ARGS='-k labels'   arguments for pytest
make test    everything: the same, Python 3.6 at work, nodes over real DDS, trainings, benchmarks
             JOBS=2             how many tests at a time; by default as many as there are cores
make campaign  mutated inputs of every kind, each with a bound on time and memory, malformed images over DDS to a node,
             and faults around nodes, trainings and evaluations; the counts go to docs/reliability.md
             MINUTES=30 SEED=1  how long, and which cases
make gpu     on a machine with an NVIDIA GPU: its tests, benchmarks, profile and training; results go to gpu/
             CAMVID=FOLDER      for TensorRT in int8 and the training
make soak    a node at full speed, its memory, threads and descriptors sampled; MINUTES=60
make lint    only what make check does without unit tests
make docs    the documentation site, built strictly into site/
make floor   the environment with Python 3.6 that make test uses where it is: 900 MB of downloads, into .floor
make env     only the environment, in .venv
make clean   remove .venv, .floor and all else that these commands made

They need Python 3.10 to 3.14 on x86-64 Linux; PYTHON=python3.12 chooses one (make clean before a change).
PyTorch comes as pip finds it: by default with CUDA, a download of gigabytes. For its CPU build, let PIP_EXTRA_INDEX_URL
name PyTorch's index of CPU wheels.
endef
export HELP

define CHECK_PYTHON
import platform, sys
found = '$(PYTHON) is Python {}.{} on {} {}'.format(*sys.version_info[:2], platform.system(), platform.machine())
if not (3, 10) <= sys.version_info[:2] <= (3, 14):
    sys.exit(found + '; the ROS 2 wheels exist for Python 3.10 to 3.14: name one of them, as in PYTHON=python3.12')
if (platform.system(), platform.machine()) != ('Linux', 'x86_64'):
    sys.exit(found + '; the ROS 2 wheels exist for x86-64 Linux only: install ROS 2 and build with colcon')
try:
    import ensurepip, venv
except ImportError:
    sys.exit(found + ' and has no venv module: install it (Debian, Ubuntu: sudo apt install python3-venv)')
endef
export CHECK_PYTHON

# A file's tests stay together, since they share its nodes and models; files with slow tests come first.
PYTEST := $(BIN)/python -m pytest
PARALLEL := -n $(JOBS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0

.PHONY: help demo check test campaign soak gpu lint docs floor env clean
.DELETE_ON_ERROR:

help:
	@echo "$$HELP"

demo: $(VENV)/run.stamp
	$(BIN)/espnet-ros demo $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SOURCE),--source "$$SOURCE")

check: env
	$(PYTEST) $(PARALLEL) -m unit $(ARGS)

test: env
	$(PYTEST) $(PARALLEL) $(ARGS)

# Half of the time for inputs of every kind, a fifth for images over DDS and for faults on nodes, the rest for the others.
part = $(shell awk 'BEGIN { print $(MINUTES) * $(1) }')
CAMPAIGN := $(BIN)/python test/campaign/
TABLE := --table docs/reliability.md
campaign: env
	@status=0; for work in 'run.py --minutes $(call part,0.5)' 'over_dds.py --minutes $(call part,0.2)' \
	    'node_faults.py --minutes $(call part,0.2)' 'work_faults.py --minutes $(call part,0.1)'; do \
	    $(CAMPAIGN)$$work --seed $(SEED) $(TABLE) || status=1; done; exit $$status

soak: env
	$(CAMPAIGN)soak.py --minutes $(MINUTES) $(TABLE)

gpu: env
	$(BIN)/python test/support/gpu_list.py $(if $(CAMVID),--camvid "$$CAMVID")

lint: env
	$(PYTEST) test/test_rules.py $(ARGS)

docs: $(VENV)/run.stamp
	$(PIP) install -q --no-build-isolation -c $(LOCK) -r requirements/docs.txt
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

floor:
	requirements/floor.sh

env: $(VENV)/test.stamp

clean:
	rm -rf $(VENV) site .floor build demo dist gpu install log *.egg-info .cache .*_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# A stamp is written last, so an interrupted installation is taken up again.
$(VENV)/run.stamp: $(filter-out requirements/docs.txt requirements/floor.txt requirements/test.txt,$(wildcard requirements/*.txt)) setup.py setup.cfg
	@command -v "$(PYTHON)" >/dev/null || { echo 'There is no $(PYTHON); install Python 3.10 to 3.14.' >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { "$(PYTHON)" -c "$$CHECK_PYTHON" && "$(PYTHON)" -m venv --clear $(VENV); }
	$(PIP) install -q -c $(LOCK) -r requirements/build.txt
	$(PIP) install --no-build-isolation -c $(LOCK) -r requirements/run.txt
	$(PIP) install -q --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp requirements/test.txt requirements/docs.txt
	$(PIP) install -q --no-build-isolation -c $(LOCK) -r requirements/test.txt
	@# Without what it asks for: among that is a `typing` that no Python of today can install.
	$(PIP) install -q --no-build-isolation --no-deps -c $(LOCK) cityscapesscripts
	@touch $@

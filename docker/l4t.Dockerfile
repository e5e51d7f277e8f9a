# espnet_ros on a Jetson. BASE: a container for your L4T (r32, r35 or r36) that holds ROS 2 and NVIDIA's PyTorch, such as
# those of the jetson-containers project: docker build -f docker/l4t.Dockerfile --build-arg BASE=... -t espnet_ros .
ARG BASE
FROM ${BASE}
COPY . /workspace/src/espnet_ros
WORKDIR /workspace
# The base brings ROS 2, NumPy, OpenCV and PyTorch: rosdep would replace them.
RUN pip3 install psutil pyyaml requests rich tqdm
RUN pip3 install --no-deps torch2trt || echo 'torch2trt is not on this index: install it from its repository for TensorRT'
RUN . "${ROS_ROOT:-/opt/ros/$ROS_DISTRO}/install/setup.sh" 2>/dev/null || . "/opt/ros/$ROS_DISTRO/setup.sh"; \
    colcon build --packages-select espnet_ros
CMD ["bash", "-c", ". install/setup.bash && ros2 launch espnet_ros segment.launch.py"]

# espnet_ros on ROS 2 for a PC without a GPU. Build from the repository: docker build -f docker/pc.Dockerfile -t espnet_ros .
ARG ROS_DISTRO=jazzy
FROM ros:${ROS_DISTRO}
# PyTorch comes with CUDA unless this names the index of its CPU wheels.
ARG PIP_EXTRA_INDEX_URL
ENV PIP_BREAK_SYSTEM_PACKAGES=1
COPY . /workspace/src/espnet_ros
WORKDIR /workspace
ENV PIP_NO_CACHE_DIR=1
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-pip ros-${ROS_DISTRO}-vision-msgs \
    && rosdep update --rosdistro ${ROS_DISTRO} \
    && rosdep install --from-paths src --ignore-src -y \
    && pip install openvino onnx rosbags \
    && . /opt/ros/${ROS_DISTRO}/setup.sh && colcon build --packages-select espnet_ros \
    && rm -rf /var/lib/apt/lists/*
RUN sed -i '$i source /workspace/install/setup.bash' /ros_entrypoint.sh
CMD ["ros2", "launch", "espnet_ros", "segment.launch.py"]

"""The authors' weights files and the networks that they belong to."""
from espnet_ros.network import NetworkConfig

AUTHORS = {
    'espnet/espnet_p_2_q_3.pth': NetworkConfig('espnet', 20, 2, 3),
    'espnet/espnet_p_2_q_5.pth': NetworkConfig('espnet', 20, 2, 5),
    'espnet/espnet_p_2_q_8.pth': NetworkConfig('espnet', 20, 2, 8),
    'espnet/espnet_p_2_q_8_camvid.pth': NetworkConfig('espnet', 12, 2, 8, fuse_input=True),
    'espnet_c/espnet_p_2_q_3.pth': NetworkConfig('espnet-c', 20, 2, 3),
    'espnet_c/espnet_p_2_q_5.pth': NetworkConfig('espnet-c', 20, 2, 5),
    'espnet_c/espnet_p_2_q_8.pth': NetworkConfig('espnet-c', 20, 2, 8)}

"""Scores and pictures of a network during training."""
import numpy as np
import torch
from small_models import CARD, network
from small_samples import ALONE, SIZE

from espnet_ros.datasets import Streets
from espnet_ros.deploy.deploy import Deployed
from espnet_ros.images.resize import resize_image
from espnet_ros.labels import CAMVID
from espnet_ros.metrics.confusion import confusion_matrix, mean_iou
from espnet_ros.network import NetworkConfig
from espnet_ros.training.loading import read_all
from espnet_ros.training.samples import PreparedDataset
from espnet_ros.training.validation import Validator

CONFIG = NetworkConfig('espnet', classes=11, alpha2=1, alpha3=1, width_divider=2)


def test_images_of_another_size_are_validated_as_the_robot_sees_them():
    streets = Streets(2, 200, 152, seed=4)
    prepared = PreparedDataset(streets, CAMVID, SIZE, as_bytes=False)
    card = CARD._replace(architecture=CONFIG, label_set=CAMVID, outputs=CAMVID.ids)
    trained = network(CONFIG)
    validator = Validator(card, (prepared,), ALONE, read_all)
    deployed = Deployed(trained, card._replace(outputs=tuple(range(11)))).eval()
    confusion = np.zeros((11, 12), np.int64)
    for i, found in enumerate(streets):
        image = resize_image(found.image, *SIZE)
        assert image.dtype == np.float32
        with torch.inference_mode():
            labels = deployed(torch.from_numpy(image).permute(2, 0, 1).unsqueeze(0))[0][0].numpy()
        confusion += confusion_matrix(prepared[i].labels, labels, 11)
    scores = validator.scores(trained)
    assert scores['street seed 4 class mIOU'] == round(100 * mean_iou(confusion), 2)
    (name, picture), = validator.pictures(trained)
    assert name == 'street seed 4' and picture.dtype == np.uint8 and picture.shape == (2 * SIZE[1], 3 * SIZE[0], 3)
    np.testing.assert_array_equal(picture[:SIZE[1], :SIZE[0]], np.rint(prepared[0].image).astype(np.uint8))

"""What the tests of charts look at in a PNG."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageColor


def opened(png: bytes) -> Image.Image:
    """The picture, in true colours."""
    with Image.open(BytesIO(png)) as image:
        assert image.format == "PNG"
        return image.convert("RGB")


def pixels(image: Image.Image, colour: str) -> np.ndarray:
    """Where the picture has this colour, or one that cannot be told from it: (n, 2), rows and columns."""
    distance = np.abs(np.asarray(image, np.int64) - ImageColor.getrgb(colour)).max(axis=2)
    return np.argwhere(distance <= 8)

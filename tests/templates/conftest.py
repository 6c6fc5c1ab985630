"""The image, made once for all tests of the templates."""

import pytest
from flex_launcher import Image
from image import make_image


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image's Python and main, in a folder of their own."""
    return make_image(tmp_path_factory.mktemp("image"))

"""One whole shop for each file of tests."""

import pytest

from services.tests.shop import Shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    whole = Shop(tmp_path_factory.mktemp("shop"))
    yield whole
    whole.close()

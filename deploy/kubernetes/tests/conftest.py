"""The objects of the base and of the overlays, as kustomize puts them together; without it these tests are skipped."""

import pytest

from deploy.checks.kubernetes import FOLDER, build, kustomize
from deploy.local.fleet import load_fleet
from deploy.local.settings import load


class Objects(list):
    """What would be applied."""

    def of(self, kind):
        """Name -> object, of one kind."""
        return {one["metadata"]["name"]: one for one in self if one["kind"] == kind}

    def pods(self):
        """(kind and name, labels, spec) of every pod that is described."""
        for kind in ("Deployment", "StatefulSet", "Job"):
            for name, one in self.of(kind).items():
                template = one["spec"]["template"]
                yield f"{kind} {name}", template["metadata"]["labels"], template["spec"]


def _built(folder):
    if kustomize() is None:
        pytest.skip("neither kubectl nor kustomize is installed")
    return Objects(build(FOLDER / folder))


@pytest.fixture(scope="session")
def base():
    return _built("base")


@pytest.fixture(scope="session")
def local():
    return _built("overlays/local")


@pytest.fixture(scope="session")
def production():
    return _built("overlays/production")


@pytest.fixture(scope="session", params=["local", "production"])
def objects(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def fleet():
    """What runs on Kubernetes: all of fleet.toml but the registry, whose place DNS takes."""
    fleet = load_fleet(load({}))
    del fleet.services["registry"]
    return fleet

"""The Kubernetes manifests: kustomize puts them together, and Kubernetes' own schemas take each object, offline.

Where neither kubectl nor kustomize is installed, the files are checked as they stand, and nothing that is put together.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from deploy.checks.links import ROOT

NAME = "Kubernetes manifests (kubernetes-validate)"
FOLDER = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("local", "production")
VERSION = "1.32"
KUSTOMIZE = (["kubectl", "kustomize"], ["kustomize", "build"])
# Kinds of operators, whose schemas are theirs and not Kubernetes'.
FOREIGN = ("postgresql.cnpg.io/", "rabbitmq.com/")

Object = dict[str, Any]


class CannotBuild(Exception):
    """kustomize refuses; the message is its own."""


def kustomize() -> list[str] | None:
    """The command that puts manifests together, or None where there is none."""
    return next((command for command in KUSTOMIZE if shutil.which(command[0])), None)


def build(folder: Path) -> list[Object]:
    """All objects of a kustomization. Raises CannotBuild."""
    command = kustomize()
    if command is None:
        raise CannotBuild("neither kubectl nor kustomize is installed")
    result = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    if result.returncode:
        raise CannotBuild(result.stderr.strip())
    return list(yaml.safe_load_all(result.stdout))


def as_they_stand(folder: Path) -> list[Object]:
    """All objects that are whole in their file: no patches, nothing of kustomize's own."""
    files = [file for file in sorted(folder.rglob("*.yaml")) if not file.name.endswith(".patch.yaml")]
    found = [found for file in files for found in yaml.safe_load_all(file.read_text())]
    return [one for one in found if not one["apiVersion"].startswith("kustomize.")]


def problems(objects: list[Object]) -> list[str]:
    """One line for each object that Kubernetes would not take."""
    found = []
    for one in objects:
        name = f"{one['kind']} {one['metadata']['name']}"
        try:
            if not one["apiVersion"].startswith(FOREIGN):
                kubernetes_validate.validate(one, VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{name}: {'.'.join(map(str, error.path))}: {error.message}")
        except kubernetes_validate.SchemaNotFoundError as error:
            found.append(f"{name}: {error.message}")
    return found


def check() -> tuple[str, str]:
    """A verdict, "ok    " or "FAILED", and what to print behind it."""
    if kustomize() is None:
        name, objects = f"{NAME}, file by file: neither kubectl nor kustomize is installed", as_they_stand(FOLDER)
    else:
        try:
            name, objects = NAME, [one for overlay in OVERLAYS for one in build(FOLDER / "overlays" / overlay)]
        except CannotBuild as error:
            return "FAILED", f"{NAME}\n{error}"
    wrong = problems(objects)
    return ("FAILED", "\n  ".join([name, *wrong])) if wrong else ("ok    ", f"{name}: {len(objects)} objects")

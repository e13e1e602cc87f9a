"""A manifest that Kubernetes would refuse is found without a cluster, with kustomize and without."""

import shutil

import pytest

from deploy.checks import kubernetes

SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}}
CLUSTER = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "a"}}


def test_what_is_right_is_no_problem():
    assert kubernetes.problems([SERVICE]) == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"spec": {"prots": []}}, "prots"),
        ({"spec": {"ports": [{"port": "eighty"}]}}, "eighty"),
        ({"apiVersion": "v2"}, "schema"),
        ({"kind": "Srevice"}, "schema"),
    ],
)
def test_what_is_wrong_is_named(change, why):
    (line,) = kubernetes.problems([SERVICE | change])
    assert why in line


def test_kinds_of_an_operator_are_left_to_it():
    assert kubernetes.problems([CLUSTER]) == []


def test_our_manifests_are_right_also_where_there_is_no_kustomize(monkeypatch):
    verdict, text = kubernetes.check()
    assert verdict == "ok    ", text
    monkeypatch.setattr(kubernetes, "KUSTOMIZE", ())
    verdict, text = kubernetes.check()
    assert verdict == "ok    ", text
    assert "file by file" in text


@pytest.mark.parametrize("file", ["service.yaml", "kustomization.yaml"])
def test_a_mistake_in_a_file_fails(file, tmp_path, monkeypatch):
    if kubernetes.kustomize() is None:
        pytest.skip("neither kubectl nor kustomize is installed")
    shutil.copytree(kubernetes.FOLDER, tmp_path / "kubernetes")
    path = tmp_path / "kubernetes" / "pattern" / "service" / file
    path.write_text(path.read_text().replace("ports:", "prots:").replace("service.yaml", "nowhere.yaml"))
    monkeypatch.setattr(kubernetes, "FOLDER", tmp_path / "kubernetes")
    verdict, _ = kubernetes.check()
    assert verdict == "FAILED"

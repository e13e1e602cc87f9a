"""The benchmark that judges: a figure that breaks its promise is named, and the exit code says so."""

import pytest

from bench import compose
from bench.registry import AT_LEAST_CONSULS, AT_MOST_CONSULS, BELOW, broken, report

CONSUL = dict.fromkeys([*AT_MOST_CONSULS, *AT_LEAST_CONSULS, *BELOW], 2.0)
KEPT = dict.fromkeys(AT_MOST_CONSULS, 1.0) | dict.fromkeys(AT_LEAST_CONSULS, 3.0) | dict.fromkeys(BELOW, 4.0)
WORSE = (
    dict.fromkeys(AT_MOST_CONSULS, 2.1)
    | dict.fromkeys(AT_LEAST_CONSULS, 1.9)
    | {name: float(limit) for name, limit in BELOW.items()}
)


@pytest.mark.parametrize("name", WORSE)
def test_a_registry_that_breaks_a_promise_is_named_and_ends_with_1(name, capsys):
    ours = KEPT | {name: WORSE[name]}
    assert broken(ours, CONSUL) == [name]
    assert report({"ours": ours, "Consul": CONSUL}, 10) == 1
    assert f"broken: {name}" in capsys.readouterr().err


def test_without_a_consul_only_what_is_promised_by_itself_is_judged(capsys):
    assert report({"ours": KEPT}, 10) == 0
    assert "no Consul was found" in capsys.readouterr().out
    assert report({"ours": KEPT | {name: WORSE[name] for name in AT_MOST_CONSULS}}, 10) == 0
    assert report({"ours": KEPT, "Consul": CONSUL}, 10) == 0


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ((60, 1638, {"orders": 249, "gateway": 212}), []),
        ((61, 1638, {"orders": 249}), ["time"]),
        ((60, 1639, {"orders": 249}), ["memory"]),
        ((60, 1638, {"orders": 249, "gateway": 250}), ["size of the images"]),
    ],
)
def test_containers_that_break_a_promise_are_named(figures, said, capsys):
    assert compose.broken(*figures) == said
    assert capsys.readouterr().err == "".join(f"broken: {name}\n" for name in said)

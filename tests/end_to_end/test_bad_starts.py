"""Starts that go wrong, or are not the only one; with toys instead of services, `tests/test_runner.py` has more."""

import pytest

from bench.system import System

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def test_two_systems_run_side_by_side_and_one_survives_the_other(system: System) -> None:
    with System() as second:
        second.up()
        ours, theirs = system.customer(), second.customer()
        placed = [customer.place({"SOUK-000070": 1}) for customer in (ours, theirs)]
        ends = [customer.follow(answer) for customer, answer in zip((ours, theirs), placed, strict=True)]
        assert [order["state"] for order in ends] == ["CONFIRMED", "CONFIRMED"]
        # Neither knows the other's customers and orders.
        assert theirs.ask("GET", f"/api/orders/{ends[0]['id']}").status_code == 404
        both = [{row["id"] for row in each.instances()} for each in (system, second)]
        assert both[0].isdisjoint(both[1])

        second.crash()  # it is no concern of ours; `tests/faults/test_everything_killed.py` starts such a one again
        assert ours.follow(ours.place({"SOUK-000070": 1}))["state"] == "CONFIRMED"


def test_a_home_that_cannot_be_written_is_named(tmp_path) -> None:
    (tmp_path / "file").touch()
    with System() as system:
        # Below a file nobody can make a folder, the superuser included.
        system.env["SOUK_HOME"] = str(tmp_path / "file" / "home")
        done = system.run("up", "--detach")
        assert done.returncode == 1
        assert system.env["SOUK_HOME"] in done.stderr
        assert "Traceback" not in done.stderr
        system.env["SOUK_HOME"] = str(system.home)

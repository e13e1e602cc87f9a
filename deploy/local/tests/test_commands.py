import json

import jwt
import pytest

from deploy.local import killing, live, preflight, scaling, show
from deploy.local.client import System
from deploy.local.errors import Misused, Refused
from deploy.local.home import Home
from deploy.local.logs import Follower, lines, log_files, merged, parse, tail
from deploy.local.runtime import Processes
from deploy.local.settings import load
from deploy.local.stopping import wipe
from deploy.local.tests.toys import make_toys
from deploy.local.trace import story


@pytest.fixture
def system(tmp_path):
    toys = make_toys(tmp_path / "toys")
    settings = load({"SOUK_HOME": str(tmp_path / "home"), "SERVICES_DIR": str(toys)})
    Home(settings.home).create()
    Home(settings.home).furnish()
    return System(settings, None)


@pytest.fixture
def processes(system):
    """The same as commands see it."""
    return Processes(system)


def test_counts_are_read_and_singles_refused(system):
    assert scaling.parse_counts(system.fleet, ["apples=3", "pears=0"]) == {"apples": 3, "pears": 0}
    for words in (["apples"], ["apples=many"], ["apples=-1"], ["nuts=1"], ["gateway=2"], ["registry=1"]):
        with pytest.raises(Misused):
            scaling.parse_counts(system.fleet, words)


def test_values_are_json_and_otherwise_text():
    assert live.pairs(["a=1", "b=true", "c=0.5", "d=slow", "e=x=y"]) == {
        "a": 1, "b": True, "c": 0.5, "d": "slow", "e": "x=y",
    }  # fmt: skip
    for word in ("a", "=1"):
        with pytest.raises(Misused):
            live.pairs([word])


def test_a_service_token_names_us_and_the_target_and_is_short_lived(system, processes):
    token = live.service_token(processes, "apples")
    key = system.home.service_keys.read_text().split()[0]
    claims = jwt.decode(token, key, algorithms=["HS256"], audience="apples")
    assert claims["iss"] == "souk"
    assert claims["exp"] - claims["iat"] == 60


def test_the_first_of_two_keys_signs(system, processes):
    system.home.service_keys.write_text("b" * 64 + "\n" + "a" * 64 + "\n")
    jwt.decode(live.service_token(processes, "pears"), "b" * 64, algorithms=["HS256"], audience="pears")


def test_without_a_key_no_token_is_signed(system, processes):
    system.home.service_keys.unlink()
    with pytest.raises(Refused, match="souk up"):
        live.service_token(processes, "apples")


@pytest.mark.parametrize(("name", "seconds"), [("HUP", None), ("KILL", -1.0), ("STOP", 0.0), ("CONT", 1.0)])
def test_a_senseless_signal_is_refused_before_anything_is_sent(processes, name, seconds):
    with pytest.raises(Misused):
        killing.kill(processes, "apples", None, name, seconds)


def test_the_status_of_a_system_that_does_not_run_is_an_empty_list(processes):
    assert show.document(processes)["instances"] == []
    assert show.document(processes)["gateway"] == "http://127.0.0.1:8080"


def test_only_a_home_is_wiped(system, tmp_path):
    precious = tmp_path / "home" / "thesis.tex"
    precious.touch()
    with pytest.raises(Refused, match="nothing is removed"):
        wipe(system)
    assert system.home.passwords_file.exists()
    precious.unlink()
    wipe(system)
    assert not system.home.path.exists()


def test_a_missing_nginx_is_one_clear_line(system, monkeypatch):
    monkeypatch.setattr(preflight.shutil, "which", lambda *args, **options: None)
    with pytest.raises(Refused, match="nginx is missing"):
        preflight.check(system.settings, system.fleet)


def test_missing_packages_are_named(system, monkeypatch):
    monkeypatch.setattr(preflight, "PACKAGES", ("json", "no_such_package"))
    with pytest.raises(Refused, match=r"no_such_package.*setup\.sh"):
        preflight.check(system.settings, system.fleet)


def write_log(system, name, *lines):
    text = "".join((json.dumps(line) if isinstance(line, dict) else line) + "\n" for line in lines)
    (system.home.logs / name).write_text(text)


def line(second, service, event, **fields):
    return {"timestamp": f"2030-01-01T00:00:{second:02d}Z", "service": service, "event": event, **fields}


def test_logs_are_merged_by_time_and_a_traceback_stays_behind_its_line(system):
    write_log(system, "apples-1.log", line(1, "apples", "one"), "Traceback:", line(4, "apples", "four"))
    write_log(system, "pears-1.log", line(2, "pears", "two"), line(3, "pears", "three"))
    events = [found.fields["event"] for found in merged(log_files(system.home))]
    assert events == ["one", "Traceback:", "two", "three", "four"]
    only = [found.fields["event"] for found in merged(log_files(system.home, "pears"))]
    assert only == ["two", "three"]


def test_a_line_shows_its_fields_and_not_its_name_twice():
    found = parse(json.dumps(line(1, "apples", "eaten", by="worm", bites=3, trace_id="t")), "apples-1")
    assert (found.source, found.text) == ("apples", "eaten by=worm bites=3")
    assert parse("no json\n", "apples-1").text == "no json"


def test_the_story_of_an_order_has_all_lines_of_its_trace_and_no_others(system, processes):
    write_log(
        system,
        "apples-1.log",
        line(1, "apples", "a request", trace_id="t1"),
        line(2, "apples", "placed", order_id="o-7", trace_id="t1"),
        line(5, "apples", "another", order_id="o-8", trace_id="t2"),
    )
    write_log(system, "pears-1.log", line(3, "pears", "took over", trace_id="t1"))
    told = [(depth, found.fields["event"]) for depth, found in story(processes, "o-7")]
    assert told == [(0, "a request"), (0, "placed"), (1, "took over")]


def test_an_order_that_no_log_mentions_is_one_clear_line(processes):
    with pytest.raises(Refused, match="no log mentions"):
        story(processes, "o-99")


def test_a_tail_is_the_readable_end_of_a_log(tmp_path):
    log = tmp_path / "x.log"
    log.write_text("\n".join(f"line {n}" for n in range(5000)))
    assert tail(log, 2) == "    line 4998\n    line 4999"
    log.write_text(json.dumps(line(1, "apples", "broken", exception="Traceback:\n  File x\nOops")))
    assert [text.strip() for text in tail(log, 2).splitlines()] == ["File x", "Oops"]
    assert "no log" in tail(tmp_path / "none.log")


def test_following_gives_whole_new_lines_also_of_files_that_appear(system):
    write_log(system, "apples-1.log", line(1, "apples", "old"))
    follower = Follower(lambda: log_files(system.home))
    assert follower.fresh() == []
    with (system.home.logs / "apples-1.log").open("a") as log:
        log.write(json.dumps(line(3, "apples", "new")) + "\nha")
        log.flush()
        write_log(system, "apples-2.log", line(2, "apples", "appeared"))
        assert [found.fields["event"] for found in follower.fresh()] == ["appeared", "new"]
        log.write("lf\n")
        log.flush()
        assert [found.text for found in follower.fresh()] == ["half"]
    follower.close()


def test_the_supervisors_own_questions_are_not_shown(system):
    write_log(system, "gateway-access.log", line(1, "gateway", "request", path="/healthz"), line(2, "gateway", "x"))
    assert [found.text for found in lines(system.home, "gateway", False)] == ["x"]


def test_the_network_of_one_host_cannot_be_cut(processes):
    with pytest.raises(Misused, match="--runtime compose"):
        killing.partition(processes, "apples", "pears", 1.0, print)


@pytest.mark.parametrize(("service", "other", "seconds"), [("apples", "apples", 1.0), ("apples", "pears", 0.0)])
def test_a_senseless_partition_is_refused(processes, service, other, seconds):
    with pytest.raises(Misused, match="--from" if service == other else "--for"):
        killing.partition(processes, service, other, seconds, print)

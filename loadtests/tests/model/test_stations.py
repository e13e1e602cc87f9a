import pytest
from simpy import Environment

from loadtests.model.stations import Host, Lost, Replica, Slots


def noted(env, waits, log, name):
    try:
        if (event := waits()) is not None:
            yield event
        log.append((name, round(env.now, 9)))
    except Lost:
        log.append((name, "lost"))


def test_a_processor_is_shared_by_all_who_want_it():
    env, log = Environment(), []
    host = Host(env, cores=1)
    env.process(noted(env, lambda: host.run(1), log, "short"))
    env.process(noted(env, lambda: host.run(3), log, "long"))
    env.run()
    # Both at half speed until the short one has its second at 2; then the long one alone.
    assert log == [("short", 2), ("long", 4)]


def test_who_comes_later_slows_down_who_is_there():
    env, log = Environment(), []
    host = Host(env, cores=1)
    env.process(noted(env, lambda: host.run(2), log, "first"))
    env.run(1)
    env.process(noted(env, lambda: host.run(2), log, "second"))
    env.run()
    assert log == [("first", 3), ("second", 4)]


def test_nobody_gets_more_than_one_core_and_a_part_of_one_is_shared_too():
    env, log = Environment(), []
    two, part = Host(env, cores=2), Host(env, cores=0.5)
    for name in "abc":
        env.process(noted(env, lambda: two.run(2), log, name))
    env.process(noted(env, lambda: part.run(1), log, "part"))
    env.run()
    assert log == [("part", 2), ("a", 3), ("b", 3), ("c", 3)]


def test_places_are_given_in_the_order_of_coming():
    env, log = Environment(), []
    slots = Slots(env, 1)
    for name in "abc":
        env.process(noted(env, slots.enter, log, name))
    env.run(1)
    assert log == [("a", 0)]
    slots.leave()
    env.run(2)
    assert log[1:] == [("b", 1)]


def test_a_process_runs_one_thread_at_a_time():
    env, log = Environment(), []
    replica = Replica(env, Host(env, cores=2), {"threads": 8}, processes=1)

    def compute(name):
        yield from replica.burst(1)
        log.append((name, env.now))

    for name in "ab":
        env.process(compute(name))
    env.run()
    assert log == [("a", 1), ("b", 2)]
    assert replica.cpu_s == 2


def test_a_burst_on_an_idle_machine_takes_longer():
    env, log = Environment(), []
    host = Host(env, cores=2)
    replicas = [Replica(env, host, {"threads": 1}, cold=0.5) for _ in range(2)]

    def compute(replica, name):
        yield from replica.burst(1)
        log.append((name, env.now))

    for replica, name in zip(replicas, "ab", strict=True):
        env.process(compute(replica, name))
    env.run()
    assert log == [("b", 1), ("a", 1.5)]  # the first woke the machine


def test_what_was_on_a_lost_machine_is_lost_and_it_comes_back_empty():
    env, log = Environment(), []
    host = Host(env, cores=1)
    replica = Replica(env, host, {"threads": 1}, processes=1)

    def compute(name):
        try:
            yield from replica.burst(10)
            log.append((name, env.now))
        except Lost:
            log.append((name, "lost", env.now))

    for name in "ab":
        env.process(compute(name))
    env.run(3)
    host.lose()
    replica.lose()
    env.run(5)
    assert log == [("a", "lost", 3), ("b", "lost", 3)]
    replica.come_back()
    env.process(compute("c"))
    env.run()
    assert log[-1] == ("c", 15)


@pytest.mark.parametrize("cores", [1, 2.5, 4])
def test_no_work_is_lost_or_made_by_sharing(cores):
    env, log = Environment(), []
    host = Host(env, cores)
    works = [0.3, 1.7, 0.9, 2.2, 0.05, 4.0, 1.1, 0.6]
    for number, work in enumerate(works):
        env.process(noted(env, lambda work=work: host.run(work), log, number))
    env.run()
    assert len(log) == len(works)
    assert [number for number, _ in log] == sorted(range(len(works)), key=lambda number: works[number])
    # The last one is alone at the end, so it ends at the earliest when all has been done by all cores.
    assert env.now >= sum(works) / cores - 1e-9
    assert env.now <= sum(works) / cores + max(works)

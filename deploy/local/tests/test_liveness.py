import asyncio
import os
import socket
import threading
import time

import pytest

from deploy.local.liveness import FEWEST_FAILURES, Found, Record, probe, verdict
from deploy.local.replica import LONGEST_DELAY_S, delay_before_restart

WINDOW, BUSY, START = 2.0, 15.0, 60.0


def judge(record, now):
    return verdict(record, now, WINDOW, BUSY, START)


def answered(at=0.0):
    record = Record(1, seen=0.0)
    record.note(Found.ANSWER, at)
    return record


def fail(record, found, *times):
    for began in times:
        record.note(found, began)
    return record


def test_silence_over_the_whole_window_is_death():
    record = fail(answered(), Found.SILENT, 1.0, 1.5, 2.0, 2.5)
    assert judge(record, 2.9) is None
    assert judge(record, 3.0) is Found.SILENT


def test_few_failures_are_no_death_however_long_ago_they_were():
    record = fail(answered(), Found.SILENT, *[1.0] * (FEWEST_FAILURES - 1))
    assert judge(record, 50) is None


def test_one_answer_wipes_out_the_failures_before_it():
    record = fail(answered(), Found.SILENT, 1.0, 1.5, 2.0)
    record.note(Found.ANSWER, 2.2)
    fail(record, Found.SILENT, 2.5, 3.0, 3.5)
    assert judge(record, 4.4) is None
    assert judge(record, 4.5) is Found.SILENT


def test_a_failure_that_began_before_the_last_answer_does_not_count():
    record = answered(at=5.0)
    fail(record, Found.SILENT, 4.0, 4.1, 4.2, 4.3)
    assert judge(record, 10) is None


@pytest.mark.parametrize("found", [Found.BUSY, Found.REFUSED])
def test_a_busy_or_leaving_process_is_given_patience_but_not_for_ever(found):
    record = fail(answered(), found, 1.0, 2.0, 3.0, 4.0)
    assert judge(record, 15.9) is None
    assert judge(record, 16.0) is found


def test_taking_a_connection_ends_the_silence():
    record = fail(answered(), Found.SILENT, 1.0, 1.5)
    fail(record, Found.BUSY, 2.0)
    fail(record, Found.SILENT, 2.5, 2.6, 2.7)
    assert judge(record, 4.4) is None


def test_a_starting_process_has_the_time_of_a_start():
    record = fail(Record(1, seen=0.0), Found.SILENT, 1.0, 2.0, 3.0, 4.0)
    assert judge(record, 59) is None
    assert judge(record, 61) is Found.NEVER


def test_a_crash_loop_is_damped_and_a_single_crash_is_not():
    delays = [delay_before_restart(deaths) for deaths in range(8)]
    assert delays[:2] == [0, 0]
    assert delays == sorted(delays)
    assert delays[2] > 0
    assert delays[-1] == LONGEST_DELAY_S


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def ask(listener, timeout_s=0.5, patience_s=0.0):
    return asyncio.run(probe(listener.getsockname()[1], os.getpgrp(), timeout_s, patience_s))


def serve(listener, answer, after_s=0.0):
    """Accept one connection in a thread, and keep it open until the test is over."""
    kept = []

    def work():
        connection, _ = listener.accept()
        kept.append(connection)
        if answer:
            time.sleep(after_s)
            connection.sendall(answer)

    threading.Thread(target=work, daemon=True).start()
    return kept


def test_any_http_answer_is_life(listener):
    kept = serve(listener, b"HTTP/1.1 404 Not Found\r\n\r\n")
    assert ask(listener, timeout_s=20) is Found.ANSWER
    kept[0].close()


def test_a_connection_that_nobody_takes_is_silence(listener):
    assert ask(listener) is Found.SILENT


def test_a_connection_that_is_taken_and_not_answered_is_busy(listener):
    kept = serve(listener, None)
    assert ask(listener, timeout_s=2) is Found.BUSY
    kept[0].close()


def test_who_took_the_connection_may_answer_late(listener):
    kept = serve(listener, b"HTTP/1.1 200 OK\r\n\r\n", after_s=2.5)
    assert ask(listener, timeout_s=2, patience_s=30) is Found.ANSWER
    kept[0].close()


def test_a_closed_port_refuses(listener):
    port = listener.getsockname()[1]
    listener.close()
    assert asyncio.run(probe(port, os.getpgrp(), 5)) is Found.REFUSED

"""The relay: takes what the outbox holds to its subscribers, at least once, in order per subject.

Every replica runs one. A round is one short write transaction that records what became of the deliveries under
way and claims the next ones; the sending happens outside any transaction. Only the oldest pending row of a
(subject, subscriber) can be claimed, by one conditional UPDATE with an expiry, so two replicas never send the
same stream side by side, and the rows of a replica that died are free again after `CLAIM_S`.
"""

import json
import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from prometheus_client import Counter as Metric
from sqlalchemy import exists, or_, select, update
from sqlalchemy.orm import Session

from chassis import faults
from chassis.background import Periodic, add_background
from chassis.calls import Calls
from chassis.database import Database, utc_now
from chassis.errors import Problem
from chassis.outbox import deliveries
from chassis.outbox_routes import outbox_routes
from chassis.settings import ChassisSettings
from chassis.telemetry import log
from chassis.trace import current_trace, parse_traceparent

CLAIM_S = 2.0
SEND_TIMEOUT_S = 1.5  # less than a claim lasts, so that a slow answer seldom means a second delivery
IN_FLIGHT = 4  # per subscriber, so that a slow one does not take the threads of the others
MAX_BACK_OFF_S = 2.0
RECORD_WITHIN_S = 0.05  # outcomes that come close together, or with the next commit, share one transaction

DELIVERIES = Metric("souk_deliveries_total", "Event deliveries by outcome", ["service", "subscriber", "outcome"])


@dataclass(frozen=True)
class Delivery:
    seq: int
    subscriber: str
    type: str
    body: str
    tries: int
    created_at: datetime


@dataclass(frozen=True)
class Outcome:
    """What became of a delivery. `sent`; else `error`, and whether it counts as a try."""

    delivery: Delivery
    sent: bool = False
    counts: bool = False
    error: str = ""


class Relay:
    """Sends the outbox of one service. `wake()` makes it look at once; otherwise it looks every 500 ms."""

    def __init__(self, service: str, database: Database, calls: Calls, routes: dict[str, list[str]], max_tries: int):
        self.service, self.database, self.calls = service, database, calls
        self.routes, self.max_tries = routes, max_tries
        self._subscribers = sorted({name for names in routes.values() for name in names})
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._in_flight: Counter[str] = Counter()
        self._in_flight_lock = threading.Lock()
        self._absent_until: dict[str, float] = {}
        self._absences: Counter[str] = Counter()
        self._periodic = Periodic("relay", 0.5, self.round)
        self._pool: ThreadPoolExecutor | None = None

    def start(self) -> None:
        if self._subscribers:
            self._pool = ThreadPoolExecutor(IN_FLIGHT * len(self._subscribers), thread_name_prefix="relay")
            self._periodic.start()

    def wake(self) -> None:
        """There is something new to send."""
        self._periodic.wake()

    def stop(self) -> None:
        self._periodic.stop()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self.record_outcomes()

    def round(self) -> None:
        """Record, claim, hand to the senders."""
        ready = self._ready_subscribers()
        if self._outcomes.empty() and not (ready and self._anything_due(ready)):
            return
        with self._recording() as session:
            claimed = self._claim(session, ready) if ready else []
        faults.point("outbox.claimed")
        for delivery in claimed:
            with self._in_flight_lock:
                self._in_flight[delivery.subscriber] += 1
            assert self._pool is not None
            self._pool.submit(self._send_and_report, delivery)

    def record_outcomes(self) -> None:
        if not self._outcomes.empty():
            with self._recording():
                pass

    # --- claiming

    def _ready_subscribers(self) -> list[str]:
        now = time.monotonic()
        with self._in_flight_lock:
            return [
                name
                for name in self._subscribers
                if self._in_flight[name] < IN_FLIGHT and self._absent_until.get(name, 0) <= now
            ]

    def _due(self, ready: list[str], now: datetime) -> Any:
        """Oldest pending row of each stream, not claimed by anybody, whose back-off is over."""
        earlier = deliveries.alias("earlier")
        return (
            select(deliveries.c.seq)
            .where(
                deliveries.c.state == "pending",
                deliveries.c.subscriber.in_(ready),
                or_(deliveries.c.not_before.is_(None), deliveries.c.not_before <= now),
                or_(deliveries.c.claimed_until.is_(None), deliveries.c.claimed_until < now),
                ~exists().where(
                    earlier.c.state == "pending",
                    earlier.c.subscriber == deliveries.c.subscriber,
                    earlier.c.subject == deliveries.c.subject,
                    earlier.c.seq < deliveries.c.seq,
                ),
            )
            .order_by(deliveries.c.seq)
            .limit(IN_FLIGHT)
        )

    def _anything_due(self, ready: list[str]) -> bool:
        # A look without the write lock: most rounds of a quiet service end here.
        with self.database.reading() as session:
            return session.scalar(self._due(ready, utc_now()).limit(1)) is not None

    def _claim(self, session: Session, ready: list[str]) -> list[Delivery]:
        now = utc_now()
        claimed: list[Delivery] = []
        with self._in_flight_lock:
            free = {name: IN_FLIGHT - self._in_flight[name] for name in ready}
        for name, places in free.items():
            rows = session.execute(
                update(deliveries)
                .where(
                    deliveries.c.seq.in_(self._due([name], now).limit(places)),
                    deliveries.c.state == "pending",
                    or_(deliveries.c.claimed_until.is_(None), deliveries.c.claimed_until < now),
                )
                .values(claimed_until=now + timedelta(seconds=CLAIM_S))
                .returning(
                    deliveries.c.seq, deliveries.c.subscriber, deliveries.c.type, deliveries.c.body,
                    deliveries.c.tries, deliveries.c.created_at,
                )
            )  # fmt: skip
            claimed += [Delivery(**row) for row in rows.mappings()]
        return sorted(claimed, key=lambda delivery: delivery.seq)

    # --- sending

    def _send_and_report(self, delivery: Delivery) -> None:
        try:
            outcome = self._send(delivery)
        except Exception as error:
            log.exception("a delivery failed unexpectedly", seq=delivery.seq)
            outcome = Outcome(delivery, counts=True, error=repr(error))
        self._outcomes.put(outcome)
        with self._in_flight_lock:
            self._in_flight[delivery.subscriber] -= 1
        label = "sent" if outcome.sent else "failed"
        DELIVERIES.labels(self.service, delivery.subscriber, label).inc()
        self._periodic.wake(within_s=RECORD_WITHIN_S)

    def _send(self, delivery: Delivery) -> Outcome:
        headers = {"Content-Type": "application/cloudevents+json"}
        current_trace.set(parse_traceparent(_traceparent(delivery.body)))
        try:
            # The subscriber's inbox makes a repetition harmless, so another replica may be asked when one hangs.
            response = self.calls.request(
                delivery.subscriber, "POST", "/events", data=delivery.body.encode(), headers=headers,
                token="service", timeout_s=SEND_TIMEOUT_S, idempotent=True,  # nosec B106 # whose token, not a token
            )  # fmt: skip
        except Problem as error:  # nobody there, no connection, no answer in time: no try, but wait a little
            self._note_absence(delivery.subscriber)
            return Outcome(delivery, error=error.detail)
        with self._in_flight_lock:
            self._absences.pop(delivery.subscriber, None)
        if response.status_code == 204:
            faults.point("outbox.sent")
            return Outcome(delivery, sent=True)
        # An answer that names no instance is not the subscriber's: somebody else has got its port.
        counts = "X-Served-By" in response.headers and response.status_code not in (429, 502, 503, 504)
        return Outcome(delivery, counts=counts, error=f"{response.status_code}: {response.text[:500]}")

    def _note_absence(self, subscriber: str) -> None:
        with self._in_flight_lock:
            self._absences[subscriber] += 1
            pause = min(MAX_BACK_OFF_S, 0.1 * 2 ** min(self._absences[subscriber], 6))
            self._absent_until[subscriber] = time.monotonic() + pause

    # --- recording

    @contextmanager
    def _recording(self) -> Iterator[Session]:
        """A transaction that begins with what became of the deliveries under way."""
        outcomes: list[Outcome] = []
        while not self._outcomes.empty():
            outcomes.append(self._outcomes.get())
        try:
            with self.database.transaction() as session:
                self._write(session, outcomes)
                yield session
        except Exception:
            for outcome in outcomes:  # for the next round, when the database is well again
                self._outcomes.put(outcome)
            raise

    def _write(self, session: Session, outcomes: list[Outcome]) -> None:
        sent = [outcome.delivery.seq for outcome in outcomes if outcome.sent]
        for outcome in outcomes:
            if not outcome.sent:
                self._record_failure(session, outcome)
        if sent:
            values = {"state": "sent", "sent_at": utc_now(), "claimed_until": None, "last_error": None}
            session.execute(update(deliveries).where(deliveries.c.seq.in_(sent)).values(values))

    def _record_failure(self, session: Session, outcome: Outcome) -> None:
        delivery, now = outcome.delivery, utc_now()
        tries = delivery.tries + outcome.counts
        # No row remembers how often a subscriber was away, so the age of the row stands for it.
        age_s = max(0.0, (now - delivery.created_at).total_seconds())
        back_off_s = 0.1 * 2**tries if outcome.counts else 0.1 + age_s / 2
        values: dict[str, Any] = {
            "tries": tries,
            "last_error": outcome.error,
            "claimed_until": None,
            "not_before": now + timedelta(seconds=min(MAX_BACK_OFF_S, back_off_s)),
        }
        if tries >= self.max_tries:
            values["state"] = "dead"
            log.error("an event is dead", seq=delivery.seq, type=delivery.type, subscriber=delivery.subscriber)
        # A row that another replica has sent meanwhile stays sent.
        where = (deliveries.c.seq == delivery.seq, deliveries.c.state == "pending")
        session.execute(update(deliveries).where(*where).values(values))


def _traceparent(body: str) -> str:
    return json.loads(body).get("traceparent") or ""


def use_outbox(app: Flask, settings: ChassisSettings, database: Database, calls: Calls) -> Relay:
    """Let `publish` write for the subscribers in EVENT_ROUTES, and a relay send what it wrote."""
    relay = Relay(settings.service, database, calls, settings.event_routes, settings.event_max_tries)
    database.outbox = relay
    add_background(app, relay)
    app.register_blueprint(outbox_routes)
    return relay

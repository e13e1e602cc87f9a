"""The relay: takes what the outbox holds to its subscribers, at least once, in order per subject.

Every replica runs one. Most deliveries are claimed by the transaction that writes them, and sent right after it. For
all others, and for what became of those under way, there are rounds: one short write transaction that records the
outcomes and claims what is due. The sending happens outside any transaction. Only the oldest pending row of a
(subject, subscriber) can be claimed, with an expiry, so two replicas do not send the same stream side by side, and
the rows of a replica that died are free again after `CLAIM_S`. What nobody waits for (EVENT_BATCHES) is not claimed at
its birth: it waits for the next round, and goes to its subscriber in one request with all else that has come by then.
"""

import queue
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from prometheus_client import Counter as Metric
from sqlalchemy import Integer, PoolProxiedConnection, bindparam, exists, or_, select, update

from chassis import faults
from chassis.background import Periodic, add_background
from chassis.calls import Calls
from chassis.carrier import Carrier, Outcome
from chassis.database import Database, UtcDateTime
from chassis.outbox import CLAIM_S, Delivery, deliveries
from chassis.outbox_routes import outbox_routes
from chassis.prepared import Prepared
from chassis.push import Push
from chassis.settings import ChassisSettings
from chassis.telemetry import log

CLAIM = timedelta(seconds=CLAIM_S)
LOOK_EVERY_S = 0.5
MAX_BACK_OFF_S = 2.0
RECORD_EVERY_S = 0.25  # outcomes that come close together share one transaction; well before their claims end
RECORD_SOON_S = 0.05  # while more is due than could be claimed at once

DELIVERIES = Metric("souk_deliveries_total", "Event deliveries by outcome", ["service", "subscriber", "outcome"])

_earlier = deliveries.alias("earlier")
_row, _now = deliveries.c, bindparam("now", type_=UtcDateTime)

# The oldest pending row of each stream, not claimed by anybody, whose back-off is over.
_DUE = (
    select(_row.seq)
    .where(
        _row.state == "pending",
        or_(_row.not_before.is_(None), _row.not_before <= _now),
        or_(_row.claimed_until.is_(None), _row.claimed_until < _now),
        ~exists().where(
            _earlier.c.state == "pending",
            _earlier.c.subscriber == _row.subscriber,
            _earlier.c.subject == _row.subject,
            _earlier.c.seq < _row.seq,
        ),
    )
    .order_by(_row.seq)
)
_ANYTHING_DUE = Prepared(_DUE.where(_row.subscriber == bindparam("name")).limit(1))
_CLAIM = Prepared(
    update(deliveries)
    .where(
        _row.seq.in_(_DUE.where(_row.subscriber == bindparam("name")).limit(bindparam("places", type_=Integer))),
        _row.state == "pending",
        or_(_row.claimed_until.is_(None), _row.claimed_until < _now),
    )
    .values(claimed_until=bindparam("until", type_=UtcDateTime))
    .returning(_row.seq, _row.subscriber, _row.type, _row.body, _row.tries, _row.created_at)
)
_SENT = Prepared(
    update(deliveries)
    .where(_row.seq == bindparam("row"))
    .values(state="sent", sent_at=_now, claimed_until=None, last_error=None)
)
# A row that another replica has sent meanwhile stays sent.
_FAILED = Prepared(
    update(deliveries).where(_row.seq == bindparam("row"), _row.state == "pending").values(claimed_until=None)
)


class Relay:
    """Sends the outbox of one service. `wake()` makes it look at once; otherwise it looks every 500 ms."""

    def __init__(self, settings: ChassisSettings, database: Database, carrier: Carrier) -> None:
        self.service, self.database, self.carrier = settings.service, database, carrier
        self.routes, self._batches = settings.event_routes, settings.event_batches
        self.max_tries = settings.event_max_tries
        self._subscribers = subscribers(self.routes)
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._in_flight: Counter[str] = Counter()
        self._in_flight_lock = threading.Lock()
        self._periodic = Periodic("relay", RECORD_EVERY_S, self.round)
        self._backlog = False  # the last round may have left something that was due
        self._look_at = 0.0  # when the outbox is to be looked into again
        self._followers = False  # something waits until what is before it in its stream is recorded as sent

    def start(self) -> None:
        if self._subscribers:
            self.carrier.start(self._done, self.wake)
            self._periodic.start()

    def wake(self) -> None:
        """There may be something to send."""
        self._look_at = 0.0
        self._periodic.wake()

    def claim_until(self, type_: str, subscriber: str, now: datetime) -> datetime | None:
        """When the claim ends under which a new delivery is written; None if it is not to be sent at once."""
        waits = subscriber in self._batches.get(type_, ()) and self.carrier.most(subscriber) > 1
        return None if waits or not self._can_send(subscriber) else now + CLAIM

    def committed(self, claimed: list[Delivery], waiting: bool) -> None:
        """What was published is in the database: send what is claimed. waiting: there is more, for a round."""
        faults.point("outbox.committed")
        self._submit(claimed)
        if waiting:
            self._followers, self._look_at = True, 0.0

    def stop(self) -> None:
        self._periodic.stop()
        self.carrier.stop()
        self.record_outcomes()

    def round(self) -> bool:
        """Record, claim, hand to the senders. True when there may be more to do at once."""
        due = self._due() if time.monotonic() >= self._look_at else []
        if not due and self._outcomes.empty():
            return False
        with self._recording() as connection:
            claimed = self._claim(connection, due) if due else []
        self._backlog = len(claimed) >= self.carrier.at_once
        again, self._followers = self._followers, False
        if self._backlog or again:
            self._look_at = 0.0
        self._submit(claimed)
        return again

    def record_outcomes(self) -> None:
        if not self._outcomes.empty():
            with self._recording():
                pass

    # --- claiming

    def _can_send(self, subscriber: str) -> bool:
        with self._in_flight_lock:
            free = self._in_flight[subscriber] < self.carrier.at_once
        return free and self.carrier.takes(subscriber)

    def _due(self) -> list[str]:
        """The subscribers for whom something is due, and to whom it can be sent. Looks without the write lock.

        Most rounds only record what was sent: what is published is claimed at once, so nothing else waits.
        """
        self._look_at = time.monotonic() + LOOK_EVERY_S
        now, ready = self.database.now(), [name for name in self._subscribers if self._can_send(name)]
        if not ready:
            return []
        with self.database.look() as connection:
            return [name for name in ready if _ANYTHING_DUE.row(connection, {"now": now, "name": name})]

    def _claim(self, connection: PoolProxiedConnection, ready: list[str]) -> list[Delivery]:
        now = self.database.now()
        claimed: list[Delivery] = []
        for name in ready:
            places = max(0, self.carrier.at_once - self._in_flight[name]) * self.carrier.most(name)
            values = {"now": now, "until": now + CLAIM, "name": name, "places": places}
            claimed += [Delivery(**row) for row in _CLAIM.rows(connection, values)]
        return sorted(claimed, key=lambda delivery: delivery.seq)

    # --- sending

    def _submit(self, claimed: list[Delivery]) -> None:
        by_subscriber: dict[str, list[Delivery]] = defaultdict(list)
        for delivery in claimed:
            by_subscriber[delivery.subscriber].append(delivery)
        for name, its in by_subscriber.items():
            most = self.carrier.most(name)
            for start in range(0, len(its), most):
                with self._in_flight_lock:
                    self._in_flight[name] += 1
                self.carrier.give(its[start : start + most])

    def _done(self, subscriber: str, outcomes: list[Outcome]) -> None:
        """The carrier's answer to a batch."""
        with self._in_flight_lock:
            self._in_flight[subscriber] -= 1
        for outcome in outcomes:
            self._outcomes.put(outcome)
            DELIVERIES.labels(self.service, subscriber, "sent" if outcome.sent else "failed").inc()
        if outcomes and self._backlog:
            self._periodic.wake(within_s=RECORD_SOON_S)

    # --- recording

    @contextmanager
    def _recording(self) -> Iterator[PoolProxiedConnection]:
        """A transaction that begins with what became of the deliveries under way."""
        outcomes: list[Outcome] = []
        while not self._outcomes.empty():
            outcomes.append(self._outcomes.get())
        try:
            with self.database.write() as connection:
                self._write(connection, outcomes)
                yield connection
        except Exception:
            for outcome in outcomes:  # for the next round, when the database is well again
                self._outcomes.put(outcome)
            raise

    def _write(self, connection: PoolProxiedConnection, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            if not outcome.sent:
                self._record_failure(connection, outcome)
        now = self.database.now()
        if sent := [{"row": outcome.delivery.seq, "now": now} for outcome in outcomes if outcome.sent]:
            _SENT.run_all(connection, sent)

    def _record_failure(self, connection: PoolProxiedConnection, outcome: Outcome) -> None:
        delivery, now = outcome.delivery, self.database.now()
        tries = delivery.tries + outcome.counts
        # No row remembers how often a subscriber was away, so the age of the row stands for it.
        age_s = max(0.0, (now - delivery.created_at).total_seconds())
        back_off_s = 0.1 * 2**tries if outcome.counts else 0.1 + age_s / 2
        values: dict[str, Any] = {
            "tries": tries,
            "last_error": outcome.error,
            "not_before": now + timedelta(seconds=min(MAX_BACK_OFF_S, back_off_s)),
        }
        if tries >= self.max_tries:
            values["state"] = "dead"
            log.error("an event is dead", seq=delivery.seq, type=delivery.type, subscriber=delivery.subscriber)
        _FAILED.run(connection, {"row": delivery.seq, **values})


def subscribers(routes: dict[str, list[str]]) -> list[str]:
    return sorted({name for names in routes.values() for name in names})


def use_outbox(app: Flask, settings: ChassisSettings, database: Database, calls: Calls) -> Relay:
    """Let `publish` write for the subscribers in EVENT_ROUTES, and a relay send what it wrote: to the broker that
    EVENTS_URL names, else to the subscribers themselves.
    """
    names = subscribers(settings.event_routes)
    carrier: Carrier
    if settings.events_url:
        from chassis import broker  # kombu is in memory only where there is a broker

        carrier = broker.carrier(app, settings)
    else:
        carrier = Push(calls, names)
    relay = Relay(settings, database, carrier)
    database.outbox = relay
    add_background(app, relay)
    app.register_blueprint(outbox_routes)
    return relay

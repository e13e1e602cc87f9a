"""Carries the events of a `Shop`, as reliably or as badly as a test wants it, and does payments' work."""

from dataclasses import dataclass

from sqlalchemy import select, update

from chassis.outbox import deliveries
from chassis.testing import as_service, eventually
from payments.settling import ask, claim_due, settle


@dataclass(frozen=True)
class Letter:
    """One delivery: an event for one subscriber, out of the outbox of its emitter."""

    emitter: str
    seq: int
    type: str
    subscriber: str
    body: str


class Postman:
    def __init__(self, shop):
        self.shop = shop
        self.seen = {}  # all letters that were ever in an outbox, by emitter and number
        self.arrived = set()
        self._payments = shop.database("payments")
        self._bank = shop.apps["payments"].extensions["payments.bank"]
        self._claim_s = shop.apps["payments"].extensions["souk.settings"].claim_s

    def collect(self):
        """What waits in the outboxes, oldest first within each."""
        waiting = []
        columns = [deliveries.c[name] for name in ("seq", "type", "subscriber", "body")]
        to_us = deliveries.c.subscriber.in_(self.shop.clients)
        pending = select(*columns).where(deliveries.c.state == "pending", to_us).order_by(deliveries.c.seq)
        for name in self.shop.emitters():
            with self.shop.database(name).reading() as session:
                waiting += [Letter(name, **row) for row in session.execute(pending).mappings()]
        self.seen.update({(letter.emitter, letter.seq): letter for letter in waiting})
        return waiting

    def overtaken(self):
        """Letters that never arrived and were withdrawn meanwhile: a slow network may still bring them."""
        waiting = {(letter.emitter, letter.seq) for letter in self.collect()}
        return [self.seen[key] for key in sorted(self.seen.keys() - self.arrived - waiting)]

    def deliver(self, letter, answer_arrives=True):
        """As the relay does it; without the answer the letter stays in the outbox, to be delivered again."""
        answer = self.shop.clients[letter.subscriber].post(
            "/events",
            data=letter.body,
            content_type="application/cloudevents+json",
            headers=as_service(letter.subscriber, letter.emitter),
        )
        assert answer.status_code == 204, (letter, answer.json)
        self.arrived.add((letter.emitter, letter.seq))
        if answer_arrives:
            with self.shop.database(letter.emitter).transaction() as session:
                session.execute(update(deliveries).where(deliveries.c.seq == letter.seq).values(state="sent"))

    def carry_until(self, type_):
        """Deliver one after the other until an event of this type was."""
        while True:
            letter = self.collect()[0]
            self.deliver(letter)
            if letter.type == type_:
                return

    def pay(self, dies_when=None):
        """One turn of a payments worker, which may die "before asking" the bank or "after asking" it."""
        jobs = claim_due(self._payments, 1, self._claim_s)
        for job in jobs if dies_when != "before asking" else ():
            answer = ask(self._bank, job)
            if dies_when != "after asking":
                settle(self._payments, job, answer)
        return bool(jobs)

    def finish(self):
        """Deliver and pay until nothing is left to do; claims of workers that died have to run out meanwhile."""
        eventually(self._nothing_left, within_s=60)

    def _nothing_left(self):
        while waiting := self.collect():
            for letter in waiting:
                self.deliver(letter)
        if self.pay():
            return False
        states = {payment["state"] for payment in self.shop.items("payments", "/api/payments")}
        return not states & {"PENDING", "REFUNDING"}

"""Reads tables in pages, and the two of docs/contract.md, for the tests that hold the services to them."""

import re
from dataclasses import dataclass

from services.tests.shop import SERVICES

PAGE = SERVICES.parent / "docs" / "contract.md"


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    who: str
    statuses: tuple[int, ...]
    is_list: bool
    members: frozenset[str]

    @property
    def service(self):
        return self.path.split("/")[2].partition("?")[0]

    def __str__(self):
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class EventType:
    name: str
    emitter: str
    data: frozenset[str]


def table(text):
    """The cells of each line of the first table in a text, less its heading."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def words(cell, pattern="`([^`]+)`"):
    return re.findall(pattern, cell)


def section(heading):
    return PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def calls():
    for call, who, answer, members in table(section("The public API")):
        method, path = words(call)[0].split()
        statuses = tuple(int(status) for status in re.findall(r"\d+", answer))
        yield Call(method, path, who, statuses, members.startswith("a list of"), frozenset(words(members)))


def events():
    for type_, emitter, _, data in table(section("The events")):
        yield EventType(words(type_)[0], emitter, frozenset(words(data)))

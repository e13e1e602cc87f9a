"""The first users, with the passwords from PASSWORDS_FILE. Repeatable: a password that changed is taken over."""

import json
import sys
from pathlib import Path

from accounts.keys import ensure_first_key
from accounts.passwords import Passwords, make_passwords
from accounts.schemas import Register
from accounts.settings import Settings
from accounts.usecases import CUSTOMER, change_password, find_by_email, register
from chassis.database import Database
from chassis.errors import Unprocessable
from chassis.schemas import parsed

USERS = {
    "customer@souk.example": ("Customer", CUSTOMER),
    "operator@souk.example": ("Operator", ("customer", "operator")),
}


def seed(settings: Settings) -> None:
    """Make the first signing key and the users. Exits with a message when a password is missing or bad."""
    wanted = {email: _password(settings.passwords, email) for email in USERS}
    database, passwords = Database(settings.database), make_passwords(settings)
    ensure_first_key(database)
    for email, password in wanted.items():
        _ensure_user(database, passwords, email, password)


def _ensure_user(database: Database, passwords: Passwords, email: str, password: str) -> None:
    user = find_by_email(database, email)
    if user is None:
        name, roles = USERS[email]
        register(database, passwords, email, password, name, roles)
    elif not passwords.matches(user.password_hash, password):
        change_password(database, user, passwords.hash(password))


def _password(file: Path, email: str) -> str:
    try:
        password = json.loads(file.read_text())[email]
        return parsed(Register, {"email": email, "password": password, "name": "x"}).password
    except FileNotFoundError:
        sys.exit(f"accounts: there is no {file}; `souk up` makes it, or write {{email: password}} for {list(USERS)}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"accounts: {file} has no password for {email}: {error!r}")
    except Unprocessable as error:
        sys.exit(f"accounts: the password for {email} in {file} cannot be used: {error.errors}")

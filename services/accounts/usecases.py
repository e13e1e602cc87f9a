"""What people do with accounts: register, sign in, stay signed in, sign out."""

import uuid
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from accounts.domain import email_key, hash_refresh_token, is_stolen, new_refresh_token
from accounts.models import Family, RefreshToken, User
from accounts.passwords import Passwords
from chassis.database import Database, utc_now
from chassis.errors import Conflict, Unauthenticated
from chassis.limits import SubjectLimits
from chassis.outbox import publish

CUSTOMER = ("customer",)
SignedIn = tuple[User, str]  # the user and a fresh refresh token


def register(
    database: Database, passwords: Passwords, email: str, password: str, name: str, roles: tuple[str, ...] = CUSTOMER
) -> User:
    """Open an account, and tell who wants to know. Raises Conflict when the e-mail has one."""
    taken = Conflict("there is an account with this e-mail already; sign in instead")
    if find_by_email(database, email) is not None:  # spares the price of a hash; the index below decides
        raise taken
    user = User(
        id=str(uuid.uuid4()), email=email, email_key=email_key(email), name=name, roles=" ".join(roles),
        password_hash=passwords.hash(password), created_at=utc_now(),
    )  # fmt: skip
    try:
        with database.transaction() as session:
            session.add(user)
            session.flush()
            publish(session, "account.registered", user.id, {"user_id": user.id, "email": email, "name": name})
    except IntegrityError as error:
        raise taken from error
    return user


def sign_in(
    database: Database, passwords: Passwords, failures: SubjectLimits, email: str, password: str, lifetime: timedelta
) -> SignedIn:
    """Check a password and begin a family of refresh tokens.

    Raises Unauthenticated, with the same words and after the same time whether or not the e-mail is known, and
    TooManyRequests after too many failures with this e-mail.
    """
    user = _owner(database, passwords, failures, email, password)
    if user is None:
        raise Unauthenticated("this e-mail and this password do not belong together")
    if passwords.outdated(user.password_hash):
        change_password(database, user, passwords.hash(password))
    with database.transaction() as session:
        family = Family(id=str(uuid.uuid4()), user_id=user.id)
        session.add(family)
        session.flush()
        return user, _add_token(session, family.id, lifetime)


def refresh(database: Database, token: str, lifetime: timedelta, grace: timedelta) -> SignedIn:
    """Trade a refresh token for the next one. Raises Unauthenticated, and ends the family if it was used before.

    The family is locked first, as signing out does, so the two wait for each other and never in a circle.
    """
    now = database.now()
    with database.transaction() as session:
        signed_in = _renew(session, hash_refresh_token(token), lifetime, grace, now)
    if signed_in is None:  # raised only now: ending the family has to be committed
        raise Unauthenticated("this refresh token does not work any more; sign in again")
    return signed_in


def sign_out(database: Database, user_id: str, token: str | None) -> None:
    """End the family of this refresh token, or all of the user's. Doing it again, or with another's, does nothing."""
    ended = delete(Family).where(Family.user_id == user_id)
    if token is not None:
        of_token = select(RefreshToken.family_id).where(RefreshToken.token_hash == hash_refresh_token(token))
        ended = ended.where(Family.id.in_(of_token))
    with database.transaction() as session:
        session.execute(ended)


def get_user(database: Database, user_id: str) -> User:
    """Raises Unauthenticated when the account of this token is gone."""
    with database.reading() as session:
        user = session.get(User, user_id)
    if user is None:
        raise Unauthenticated("the account of this token does not exist any more")
    return user


def find_by_email(database: Database, email: str) -> User | None:
    with database.reading() as session:
        return session.scalar(select(User).where(User.email_key == email_key(email)))


def change_password(database: Database, user: User, password_hash: str) -> None:
    """Keep another hash for the user, unless somebody changed it meanwhile."""
    where = (User.id == user.id, User.password_hash == user.password_hash)
    with database.transaction() as session:
        session.execute(update(User).where(*where).values(password_hash=password_hash))


def forget_expired_tokens(session: Session) -> None:
    """Delete families whose tokens have all expired, then expired tokens of the others. For housekeeping."""
    good = exists().where(RefreshToken.family_id == Family.id, RefreshToken.expires_at >= utc_now())
    session.execute(delete(Family).where(~good))
    session.execute(delete(RefreshToken).where(RefreshToken.expires_at < utc_now()))


def _owner(database: Database, passwords: Passwords, failures: SubjectLimits, email: str, password: str) -> User | None:
    """Whose e-mail and password these are. A try counts first, or many guesses at once would all be looked at."""
    failures.take(email_key(email))
    wrong = False
    try:
        user = find_by_email(database, email)
        wrong = not passwords.matches(user.password_hash if user else None, password)
    finally:
        if not wrong:  # right, or nobody could look
            failures.give_back(email_key(email))
    return None if wrong else user


def _renew(session: Session, token_hash: str, lifetime: timedelta, grace: timedelta, now: datetime) -> SignedIn | None:
    of_token = select(RefreshToken.family_id).where(RefreshToken.token_hash == token_hash)
    family = session.scalar(select(Family).where(Family.id.in_(of_token)).with_for_update())
    token = session.get(RefreshToken, token_hash) if family else None
    if family is None or token is None or token.expires_at <= now:
        return None
    token.first_used_at = token.first_used_at or now
    if is_stolen(token.first_used_at, now, grace):
        session.execute(delete(Family).where(Family.id == family.id))
        return None
    return session.get_one(User, family.user_id), _add_token(session, family.id, lifetime)


def _add_token(session: Session, family_id: str, lifetime: timedelta) -> str:
    token = new_refresh_token()
    expires_at: datetime = utc_now() + lifetime
    session.add(RefreshToken(token_hash=hash_refresh_token(token), family_id=family_id, expires_at=expires_at))
    return token

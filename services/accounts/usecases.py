"""What people do with accounts: register, sign in, stay signed in, sign out."""

import uuid
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from accounts.domain import Renewal, email_key, hash_refresh_token, judge_renewal, new_refresh_token
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
    failures.check(email_key(email))
    user = find_by_email(database, email)
    if not passwords.matches(user.password_hash if user else None, password) or user is None:
        failures.take(email_key(email))
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

    The first use is written by one conditional UPDATE, so of two at once both see the same moment, and a retry
    within the grace is served too.
    """
    try:
        with database.transaction() as session:
            signed_in = _renew(session, hash_refresh_token(token), lifetime, grace)
    except IntegrityError:
        signed_in = None  # the family was ended at the same moment
    if signed_in is None:
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
    """Delete refresh tokens that have expired, and the families that have none left. For housekeeping."""
    session.execute(delete(RefreshToken).where(RefreshToken.expires_at < utc_now()))
    session.execute(delete(Family).where(~exists().where(RefreshToken.family_id == Family.id)))


def _renew(session: Session, token_hash: str, lifetime: timedelta, grace: timedelta) -> SignedIn | None:
    now = utc_now()
    row = session.execute(
        update(RefreshToken)
        .where(RefreshToken.token_hash == token_hash, RefreshToken.expires_at > now)
        .values(first_used_at=func.coalesce(RefreshToken.first_used_at, now))
        .returning(RefreshToken.family_id, RefreshToken.first_used_at)
    ).first()
    if row is None:
        return None
    family_id, first_used_at = row
    if judge_renewal(first_used_at, now, grace) is Renewal.REVOKE:
        session.execute(delete(Family).where(Family.id == family_id))
        return None
    user = session.scalars(select(User).join(Family, Family.user_id == User.id).where(Family.id == family_id)).one()
    return user, _add_token(session, family_id, lifetime)


def _add_token(session: Session, family_id: str, lifetime: timedelta) -> str:
    token = new_refresh_token()
    expires_at: datetime = utc_now() + lifetime
    session.add(RefreshToken(token_hash=hash_refresh_token(token), family_id=family_id, expires_at=expires_at))
    return token

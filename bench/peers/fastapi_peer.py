"""The ordinary peer: FastAPI, SQLAlchemy 2 ORM, pydantic, synchronous routes, as the manuals of the three teach.

It reads the very tables that the archive reads (the ORM is mapped onto the columns both need) and answers the same
list and audio routes for the same bearer tokens. `keep` is its upload: a file written and renamed, one ORM commit.
Left out in its favour: limits, audit, egress, restricted readers, streaming.
"""

import hashlib
import secrets
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Body, Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import FileResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBasic, HTTPBasicCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from sqlalchemy import Engine, create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

GREGORIAN = 62_167_219_200
STATUSES = ("SAVED", "PENDING", "DELETED_USER", "DELETED_SPACE", "DELETED_TIME", "DELETED_UNKNOWN")


class Base(DeclarativeBase):
    pass


class Tenant(Base):
    __tablename__ = "tenants"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Grant(Base):
    __tablename__ = "access_grants"

    user_id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[int] = mapped_column(primary_key=True)


class Token(Base):
    __tablename__ = "access_tokens"

    hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int]


class Recording(Base):
    __tablename__ = "recordings"

    tenant: Mapped[int] = mapped_column(primary_key=True)
    started_at: Mapped[int] = mapped_column(primary_key=True)
    ended_at: Mapped[int]
    id: Mapped[bytes] = mapped_column(primary_key=True)
    duration_ms: Mapped[int]
    vendor: Mapped[str]
    vendor_key: Mapped[str]
    call_key: Mapped[str]
    state: Mapped[int]
    direction: Mapped[str]
    calling_party: Mapped[str]
    receiving_party: Mapped[str]
    agent: Mapped[str]
    skill: Mapped[str]
    event_id: Mapped[int]
    system_id: Mapped[int]
    tag: Mapped[str]
    opus_bytes: Mapped[int | None]
    audio_name: Mapped[str | None]
    caller_number: Mapped[str]
    dialled_number: Mapped[str]
    agent_extension: Mapped[str]
    agent_login: Mapped[str]
    skill_id: Mapped[str]
    case_id: Mapped[str]
    account_number: Mapped[str]
    variable_1: Mapped[str]
    variable_2: Mapped[str]
    out_dial_code: Mapped[str]
    file_name: Mapped[str]


class Upload(Base):
    """A kept upload, in the peer's own database."""

    __tablename__ = "uploads"

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(index=True)
    key: Mapped[str] = mapped_column(unique=True)
    started_at: Mapped[int] = mapped_column(index=True)
    duration_ms: Mapped[int]
    agent: Mapped[str]
    path: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[str]


class RecordingOut(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)

    recording_key: str
    call_key: str
    start_time: int
    duration: int
    size: int
    event_id: int
    recording_system_id: int
    status: str
    calling_party: str
    receiving_party: str
    tenant_name: str
    tag_data: str
    call_direction: str
    skill: str
    agent: str


class FileOut(BaseModel):
    """A recording as 8x8 shows it."""

    startDate: datetime  # noqa: N815 - the vendor's spelling, here and below
    agentID: str  # noqa: N815
    phoneNumber: str  # noqa: N815
    channel: str
    caseID: str  # noqa: N815
    duration: int
    filename: str
    queueID: str  # noqa: N815
    queueName: str  # noqa: N815
    accountNumber: str  # noqa: N815
    transactionID: str  # noqa: N815
    extVar1: str  # noqa: N815
    extVar2: str  # noqa: N815
    outDialCode: str  # noqa: N815
    wrapUpCode: dict[str, str] = {}  # noqa: N815


class ChannelVarsOut(BaseModel):
    """`custom_channel_vars` as Kazoo shows them."""

    model_config = ConfigDict(alias_generator=lambda name: name.title().replace("_Id", "-ID"), validate_by_name=True)

    account_id: str
    media_recording_id: str


class DocumentOut(BaseModel):
    """A recording as Kazoo shows it."""

    model_config = ConfigDict(validate_by_name=True)

    id: str
    call_id: str
    cdr_id: str
    interaction_id: str
    from_: str = Field(alias="from")
    to: str
    request: str
    direction: str
    origin: str
    start: int
    duration: int
    duration_ms: int
    name: str
    description: str
    custom_channel_vars: ChannelVarsOut
    caller_id_name: str
    caller_id_number: str
    callee_id_name: str
    callee_id_number: str
    content_type: str = "audio/mpeg"
    media_type: str = "mp3"
    media_source: str = "recorded"


class DocumentsOut(BaseModel):
    data: list[DocumentOut]
    page_size: int
    status: str = "success"


def shown_document(recording: Recording, account: str) -> DocumentOut:
    identity = f"{datetime.fromtimestamp(recording.started_at / 1000, UTC):%Y%m}-{recording.id.hex()}"
    outbound = recording.direction == "outbound"
    name = f"{recording.id.hex()}.mp3"
    return DocumentOut(
        id=identity,
        call_id=recording.call_key,
        cdr_id=f"{identity[:6]}-{recording.call_key}",
        interaction_id=recording.call_key[-8:],
        **{"from": f"{recording.caller_number}@bench.sip.test"},
        to=f"{recording.dialled_number}@bench.sip.test",
        request=f"{recording.dialled_number}@bench.sip.test",
        direction="inbound" if outbound else "outbound",
        origin="outbound to offnet from endpoint" if outbound else "inbound from offnet to endpoint",
        start=recording.started_at // 1000 + GREGORIAN,
        duration=recording.duration_ms // 1000,
        duration_ms=recording.duration_ms,
        name=name,
        description=f"recording {name}",
        custom_channel_vars=ChannelVarsOut(account_id=account, media_recording_id=identity),
        caller_id_name=recording.agent if outbound else recording.calling_party,
        caller_id_number=recording.caller_number,
        callee_id_name=recording.receiving_party if outbound else recording.agent,
        callee_id_number=recording.dialled_number,
    )


class FilesOut(BaseModel):
    file: list[FileOut]


class RecordingsOut(BaseModel):
    recordings: FilesOut


def shown_file(recording: Recording, zone: ZoneInfo) -> FileOut:
    outbound = recording.direction == "outbound"
    direct = not outbound and not recording.skill
    queue = "QUEUE_OUTBOUND" if outbound else "QUEUE_DIRECT_AGENT_ACCESS"
    inbound_channel = "#virtual_daa#" if direct else recording.dialled_number
    return FileOut(
        startDate=datetime.fromtimestamp(recording.started_at // 1000, zone),
        agentID=recording.agent_login or recording.agent_extension,
        phoneNumber=recording.dialled_number if outbound else recording.caller_number,
        channel="#virtual_outbound#" if outbound else inbound_channel,
        caseID=recording.case_id or "0",
        duration=recording.duration_ms // 1000,
        filename=recording.file_name,
        queueID=queue if outbound or direct else recording.skill_id,
        queueName=queue if outbound or direct else recording.skill,
        accountNumber=recording.account_number or "0",
        transactionID=recording.call_key,
        extVar1=recording.variable_1 or "0",
        extVar2=recording.variable_2 or "0",
        outDialCode=recording.out_dial_code,
    )


def shown(recording: Recording, tenant_name: str) -> RecordingOut:
    return RecordingOut(
        recording_key=recording.vendor_key,
        call_key=recording.call_key,
        start_time=recording.started_at,
        duration=recording.duration_ms,
        size=recording.opus_bytes or 0,
        event_id=recording.event_id,
        recording_system_id=recording.system_id,
        status=STATUSES[recording.state],
        calling_party=recording.calling_party,
        receiving_party=recording.receiving_party,
        tenant_name=tenant_name,
        tag_data=recording.tag,
        call_direction=recording.direction.upper(),
        skill=recording.skill,
        agent=recording.agent,
    )


def keep(session: Session, root: Path, upload: Upload, body: bytes) -> None:
    """Write the file under another name, give it its own, and commit its row."""
    path = root / upload.path
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    temporary.write_bytes(body)
    upload.size, upload.sha256 = len(body), hashlib.sha256(body).hexdigest()
    temporary.replace(path)
    session.add(upload)
    session.commit()


def uploads_engine(path: Path) -> Engine:
    """Open the uploads' database, in WAL as guides advise; commits are durable, SQLite's default."""
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 30}, pool_size=16)

    @event.listens_for(engine, "connect")
    def in_wal(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA journal_mode = WAL")

    Base.metadata.create_all(engine, tables=[Base.metadata.tables["uploads"]])
    return engine


router = APIRouter()


def session(request: Request) -> Iterator[Session]:
    with request.app.state.sessions() as opened:
        yield opened


Db = Annotated[Session, Depends(session)]


def granted(db: Db, credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> dict[int, str]:
    """Return the tenants that the token may read, by number."""
    return tenants_of(db, credentials.credentials)


def tenants_of(db: Session, token: str) -> dict[int, str]:
    digest = hashlib.sha256(token.encode()).hexdigest()
    query = (
        select(Tenant)
        .join(Grant, Grant.tenant == Tenant.id)
        .join(Token, Token.user_id == Grant.user_id)
        .where(Token.hash == digest)
    )
    found = {tenant.id: tenant.name for tenant in db.scalars(query)}
    if not found:
        raise HTTPException(401, "unknown token")
    return found


Tenants = Annotated[dict[int, str], Depends(granted)]


@router.get("/rest/api/v2/recordings")
def recordings(
    db: Db,
    tenants: Tenants,
    start: Annotated[datetime, Query(alias="startTime")],
    end: Annotated[datetime, Query(alias="endTime")],
) -> list[RecordingOut]:
    query = (
        select(Recording)
        .where(Recording.tenant.in_(tenants), Recording.started_at.between(_ms(start), _ms(end)))
        .order_by(Recording.started_at, Recording.vendor_key)
    )
    return [shown(recording, tenants[recording.tenant]) for recording in db.scalars(query)]


@router.get("/api/recordings/files.json")
def files(
    db: Db, credentials: Annotated[HTTPBasicCredentials, Depends(HTTPBasic())], d: str = "", n: int = 1
) -> RecordingsOut:
    """Pages by OFFSET, as the manuals teach."""
    tenants = tenants_of(db, credentials.password)
    query = select(Recording).where(Recording.tenant.in_(tenants), Recording.state == 0)
    if d:
        first, last = (datetime.strptime(each, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) for each in d.split(","))
        query = query.where(Recording.started_at >= _ms(first), Recording.started_at < _ms(last))
    query = query.order_by(Recording.started_at, Recording.id).limit(50).offset(n - 1)
    zone = ZoneInfo("America/Denver")
    return RecordingsOut(recordings=FilesOut(file=[shown_file(recording, zone) for recording in db.scalars(query)]))


@router.get("/v2/accounts/{account}/recordings")
def documents(
    db: Db, tenants: Tenants, account: str, created_from: int, created_to: int, page_size: int = 50
) -> DocumentsOut:
    """The first page of a window, by the index on ends."""
    first, last = ((each - GREGORIAN) * 1000 for each in (created_from, created_to))
    query = (
        select(Recording)
        .where(Recording.tenant.in_(tenants), Recording.ended_at >= first, Recording.ended_at < last + 1000)
        .order_by(Recording.ended_at, Recording.id)
        .limit(page_size + 1)
    )
    found = [shown_document(each, account) for each in db.scalars(query)][:page_size]
    return DocumentsOut(data=found, page_size=len(found))


@router.get("/rest/api/v2/recordings/{tenant}/{key}/audio")
def audio(request: Request, db: Db, tenants: Tenants, tenant: str, key: str) -> FileResponse:
    numbers = [number for number, name in tenants.items() if name == tenant]
    query = select(Recording).where(
        Recording.tenant.in_(numbers), Recording.vendor == "xima", Recording.vendor_key == key
    )
    recording = db.scalars(query).one_or_none()
    if recording is None or recording.audio_name is None:
        raise HTTPException(404, "no such recording")
    return FileResponse(request.app.state.home / "vault" / recording.audio_name, media_type="audio/ogg")


@router.put("/uploads/{tenant}/{key}", status_code=201, dependencies=[Depends(granted)])
def upload(request: Request, tenant: str, key: str, started_at: int, body: Annotated[bytes, Body()]) -> None:
    state = request.app.state
    row = Upload(tenant=tenant, key=key, started_at=started_at, duration_ms=0, agent="", path=f"uploads/{key}")
    with state.uploads() as db:
        keep(db, state.home, row, body)


def make(home: Path) -> FastAPI:
    """Return the application over the archive at `home`."""
    app = FastAPI()
    app.state.home = home
    app.state.sessions = sessionmaker(create_engine(f"sqlite:///file:{home}/voxkeep.db?mode=ro&uri=true", pool_size=40))
    app.state.uploads = sessionmaker(uploads_engine(home / "peer.db"))
    app.include_router(router)
    return app


def _ms(moment: datetime) -> int:
    return round(moment.astimezone(UTC).timestamp() * 1000)

"""`voxkeep demo`: the sample contact centre, made and served at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec.structs import replace
from rich.progress import Progress

from voxkeep.access import Access
from voxkeep.archive import Archive
from voxkeep.cli.common import DATA_DEFAULT, USAGE, Data, Failure, Json, archive_at, err, out, print_json, run
from voxkeep.demo.build import ENVIRONMENT, Demo, DemoError, Plan, build, claim
from voxkeep.server.serve import serve, set_up_logging
from voxkeep.vendors.kazoo.pushpath import PREFIX as PUSH_PREFIX

EXAMPLES = """
A sample contact centre is served at {url}. Stop it with Ctrl-C.

In another terminal, take over its token and times, list its recordings, and fetch one to listen to:

  . {environment}
  curl -H "Authorization: Bearer $TOKEN" "$URL/rest/api/v2/recordings?startTime=$START&endTime=$END"
  curl -H "Authorization: Bearer $TOKEN" -o call.ogg "$URL/rest/api/v2/recordings/{tenant}/$KEY/audio"

The same calls, and chats, as 8x8 serves them:

  curl -u "{tenant}:$TOKEN_8X8" "$URL/api/recordings/files.csv?d=today-7d,today"
  curl -u "{tenant}:$TOKEN_8X8" "$URL/api/recordings/transcripts.json"

And as a Kazoo cluster does; it takes what another cluster pushes, too:

  curl -u "$ACCOUNT_ID:$CREDENTIALS" "$URL/v2/accounts/$ACCOUNT_ID/recordings?page_size=3"
  curl -T call.ogg "$PUSH_URL/call_recording_1001.ogg?from=1001@acme&to=1002@acme&call_id=1001"
"""
VARIABLES = (
    "export URL={url} TOKEN={token} TOKEN_8X8={token_8x8} START={start} END={end} KEY={key}\n"
    "export ACCOUNT_ID={account_id} CREDENTIALS={credentials} API_KEY={api_key} PUSH_URL={push_url} "
    "RECORDING_ID={recording_id}\n"
)


def command(
    data: Data = DATA_DEFAULT,
    recordings: Annotated[int, typer.Option(min=1, max=100_000, help="Recordings of the tenant acme-ns.")] = 240,
    days: Annotated[int, typer.Option(min=1, max=365, help="Days before today that they lie in.")] = 5,
    seed: Annotated[int, typer.Option(help="Another seed makes other calls.")] = 1,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes a free one.")] = 8400,
    no_live: Annotated[
        bool, typer.Option("--no-live", help="Simulate no calls after the start (none are simulated yet).")
    ] = False,
    speed: Annotated[
        float, typer.Option(min=0, help="How fast calls after the start go by (none are simulated yet).")
    ] = 1.0,
    json: Json = False,
) -> None:
    """Make a sample contact centre with real speech and serve it."""
    del no_live, speed
    plan = Plan(recordings=recordings, days=days, seed=seed)
    set_up_logging()
    run(lambda: _demo(data, plan, host, port, tell_json=json))


async def _demo(home: Path, plan: Plan, host: str, port: int, *, tell_json: bool) -> None:
    try:
        with claim(home):
            async with archive_at(home, create=True) as archive:
                access = Access(archive.database, archive.settings, archive.tenants)
                made = await _build(archive, access, plan)
                plain = {"require_https": False, "tls_cert": "", "tls_key": ""}
                settings = replace(archive.settings.server, host=host, port=port, **plain)
                async with access.running():
                    await serve(archive, access, settings, _teller(home, made, tell_json=tell_json))
    except DemoError as error:
        raise Failure(str(error), USAGE) from error


async def _build(archive: Archive, access: Access, plan: Plan) -> Demo:
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("making the sample calls")
        return await build(
            archive, access, plan, lambda done, total: progress.update(task, completed=done, total=total)
        )


def _teller(home: Path, made: Demo, *, tell_json: bool) -> Callable[[str], None]:
    def ready(url: str) -> None:
        first, environment = made.tenants[0], home / ENVIRONMENT
        text = VARIABLES.format(
            url=url,
            token=first.token,
            token_8x8=first.token_8x8,
            start=made.start,
            end=made.end,
            key=made.key,
            account_id=first.kazoo.account_id,
            credentials=first.kazoo.credentials,
            api_key=first.kazoo.api_key,
            push_url=_push_url(url, made),
            recording_id=made.kazoo_id,
        )
        environment.touch(mode=0o600)
        environment.write_text(text)
        if tell_json:
            print_json(_document(url, made))
        else:
            out.print(EXAMPLES.format(url=url, environment=environment, tenant=first.name), markup=False)

    return ready


def _push_url(url: str, made: Demo) -> str:
    return f"{url}{PUSH_PREFIX}{made.tenants[0].kazoo.push_secret}"


def _document(url: str, made: Demo) -> dict[str, Any]:
    """Return what `--json` prints: how each dialect is reached; all speak of the first tenant."""
    tenants = [{"name": each.name, "host": each.host, "token": each.token} for each in made.tenants]
    first = made.tenants[0]
    return {
        "url": url,
        "xima": {"tenants": tenants, "start": made.start, "end": made.end},
        "8x8": {"tenant": first.name, "token": first.token_8x8},
        "kazoo": {
            "account_id": first.kazoo.account_id,
            "account_name": first.kazoo.account_name,
            "username": first.kazoo.username,
            "password": first.kazoo.password,
            "user_id": first.kazoo.user_id,
            "api_key": first.kazoo.api_key,
            "push_url": _push_url(url, made),
        },
    }

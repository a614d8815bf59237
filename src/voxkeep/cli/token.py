"""`voxkeep token`: rotating, revoking and listing service users' bearer tokens."""

from typing import Annotated, Any

import typer

from voxkeep.access import TokenInfo
from voxkeep.archive.units import now_ms
from voxkeep.cli.administration import access_at, expiry, moment, operator, print_secret, print_table
from voxkeep.cli.common import DATA_DEFAULT, Data, Json, err, print_json, run
from voxkeep.cli.durations import duration_ms

app = typer.Typer(no_args_is_help=True, help="Bearer tokens of service users.")

UserName = Annotated[str, typer.Argument(metavar="USER", help="The service user's name.", show_default=False)]


@app.command()
def rotate(
    user: UserName,
    overlap: Annotated[
        str | None, typer.Option(help="How long older tokens still work, e.g. 24h; not at all unless given.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="How long the new token lives, e.g. 90d; for ever unless given.")
    ] = None,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Make a user's new token and print it, this once; the older ones die."""

    async def work() -> None:
        expires_at = expiry(expires)
        overlap_ms = 0 if overlap is None else duration_ms(overlap)
        async with access_at(data) as (_, access):
            token = await access.tokens.issue(user, expires_at, overlap_ms, by=operator())
        if json:
            print_json({"user": user, "token": token, "expires_at": moment(expires_at)})
        else:
            print_secret(token, f"The new token of {user}")

    run(work)


@app.command()
def revoke(user: UserName, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Kill all tokens of a user, at once."""

    async def work() -> None:
        async with access_at(data) as (_, access):
            revoked = await access.tokens.revoke(user, by=operator())
        if json:
            print_json({"user": user, "revoked": revoked})
        else:
            err.print(f"{revoked} tokens of {user} revoked", markup=False)

    run(work)


@app.command("list")
def list_(data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """List the tokens, by their last four characters; none is ever shown again."""

    async def work() -> None:
        async with access_at(data) as (_, access):
            tokens = [_document(token) for token in await access.tokens.list()]
        if json:
            print_json(tokens)
            return
        columns = ("user", "ends with", "created_at", "expires_at", "alive")
        print_table(columns, [tuple(_word(value) for value in token.values()) for token in tokens])

    run(work)


def _document(token: TokenInfo) -> dict[str, Any]:
    return {
        "user": token.user,
        "hint": token.hint,
        "created_at": moment(token.created_at),
        "expires_at": moment(token.expires_at),
        "alive": token.expires_at is None or token.expires_at > now_ms(),
    }


def _word(value: object) -> str:
    return {None: "never", True: "yes", False: "no"}.get(value, str(value))  # type: ignore[call-overload, no-any-return] # a table of words

"""What a script written with kazoo-sdk does with recordings; run as a process of its own.

A process, because the library replaces the JSON decoder of the whole interpreter. Takes its task as JSON on stdin,
prints what came out as JSON.
"""

import json
import sys
import time
from typing import Any

import kazoo  # type: ignore[import-untyped]
from kazoo.exceptions import KazooApiBadDataError, KazooApiError  # type: ignore[import-untyped]
from kazoo.request_objects import KazooRequest  # type: ignore[import-untyped]

LIST = "/accounts/{acct_id}/recordings"
ONE = "/accounts/{acct_id}/recordings/{rec_id}"


def main() -> None:
    task = json.load(sys.stdin)
    login = {name: task[name] for name in ("username", "password", "account_name", "api_key") if name in task}
    client = kazoo.Client(base_url=f"{task['url']}/v2", **login)
    told: dict[str, Any] = {"token": bool(client.authenticate())}
    account = client.auth_data["data"]["account_id"]
    told["account_id"] = account

    def ask(path: str, method: str = "get", params: dict[str, Any] | None = None, **ids: str) -> dict[str, Any]:
        request = KazooRequest(path, method=method, get_params=params)
        answer: dict[str, Any] = client._execute_request(request, acct_id=account, **ids)
        return answer

    listed, key = list[dict[str, Any]](), None
    while True:
        page = ask(LIST, params={"page_size": 7} | ({"start_key": key} if key else {}))
        listed += page["data"]
        key = page.get("next_start_key")
        if key is None:
            break
    told["ids"] = [each["id"] for each in listed]
    told["one"] = dict(ask(ONE, rec_id=listed[0]["id"])["data"])
    told["manual"], first = client.manual_request(f"/accounts/{account}/recordings?page_size=1")
    told["manual_first"] = first[0]["id"]
    told["account"] = dict(client.get_account(account)["data"])
    time.sleep(task.get("pause", 0))
    before = client.auth_token
    told["after_expiry"] = ask(ONE, rec_id=listed[1]["id"])["data"]["id"]
    told["renewed"] = client.auth_token != before
    told["deleted"] = ask(ONE, "delete", rec_id=listed[0]["id"])["data"]["id"]
    try:
        ask(ONE, rec_id=listed[0]["id"])
    except KazooApiError as error:
        told["gone"] = str(error)
    try:
        ask(LIST, params={"created_from": 1, "created_to": 62167219200 + 10**9})
    except KazooApiBadDataError as error:
        told["bad_data"] = error.field_errors
    json.dump(told, sys.stdout)


main()

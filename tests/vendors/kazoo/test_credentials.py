"""What a login proves itself with, and that nothing that would open an account is kept."""

import asyncio
import hashlib
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxkeep.vendors.kazoo import credentials
from voxkeep.vendors.kazoo.credentials import AT_ONCE, Derivations, Salted, digests_of, new_salt

ANN = Salted(b"sixteen bytes ok", 16)


def test_the_digests_are_what_clients_compute() -> None:
    # printf 'ann:an invented horse' | md5sum, sha1sum
    assert digests_of("ann", "an invented horse") == (
        "0c4d20d3946a9a6cde102af6f1a20216",
        "d6ef0ebbf0d29aacf73dc89b31b4a5f2333563df",
    )


def test_the_name_is_hashed_in_lower_case_and_the_password_as_it_is() -> None:
    assert digests_of("Ann", "Horse") == digests_of("ann", "Horse")
    assert digests_of("ann", "horse") != digests_of("ann", "Horse")


@settings(max_examples=30)
@given(st.text(min_size=1), st.text(min_size=1))
def test_any_password_has_digests_of_its_own(first: str, second: str) -> None:
    one, other = digests_of("ann", first), digests_of("ann", second)
    assert (one == other) == (first == second)
    assert (len(one.md5), len(one.sha)) == (32, 40)


async def test_a_key_is_scrypt_of_the_digest_with_the_accounts_salt_and_cost() -> None:
    key = await Derivations().key("0" * 32, ANN)
    assert key == hashlib.scrypt(b"0" * 32, salt=ANN.salt, n=16, r=5, p=1, dklen=32)
    assert key not in {await Derivations().key("0" * 32, other) for other in (Salted(new_salt(), 16), Salted(ANN.salt))}


async def test_hex_in_capitals_is_the_same() -> None:
    assert await Derivations().key("ABCDEF" * 5, ANN) == await Derivations().key("abcdef" * 5, ANN)


async def test_both_digests_of_a_password_are_kept_as_keys() -> None:
    derivations, digests = Derivations(), digests_of("ann", "horse")
    keys = await derivations.keys(digests, ANN)
    assert keys == (await derivations.key(digests.md5, ANN), await derivations.key(digests.sha, ANN))
    assert len(set(keys)) == len(keys)


async def test_a_crowd_of_logins_derives_few_at_once_and_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    under_way, seen, lock = set[int](), list[int](), threading.Lock()

    def slow(digest: bytes, _: Salted) -> bytes:
        me = threading.get_ident()
        with lock:
            under_way.add(me)
            seen.append(len(under_way))
        time.sleep(0.01)
        with lock:
            under_way.discard(me)
        return digest

    monkeypatch.setattr(credentials, "_derive", slow)
    derivations = Derivations()
    crowd = [derivations.key(str(number), ANN) for number in range(8)]
    assert await asyncio.gather(*crowd) == [str(number).encode() for number in range(8)]
    assert max(seen) == AT_ONCE
    assert threading.get_ident() not in under_way


async def test_the_real_cost_takes_time_that_guessing_notices_and_logins_do_not() -> None:
    started = time.perf_counter()
    await Derivations().key("0" * 32, Salted(new_salt()))
    assert 0.005 < time.perf_counter() - started < 5

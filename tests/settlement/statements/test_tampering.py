"""Whatever is changed in a signed statement is found, by whoever has nothing but the file."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from marketplace.cli import main
from settlement.statements.verify.checker import verify
from settlement.statements.verify.findings import Verified
from settlement.statements.verify.report import check_chain
from tests.factories import Coalition
from tests.settlement.closing import close_window
from tests.settlement.statements.conftest import draw

Records = list[dict[str, Any]]
STRANGER = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
STRANGERS_KEY = base64.b64encode(STRANGER.public_key().public_bytes_raw()).decode()


def join(texts: list[bytes]) -> bytes:
    return b"[\n" + b",\n".join(texts) + b"\n]\n"


def split(signed: bytes) -> list[bytes]:
    return [line.removesuffix(b",") for line in signed.splitlines()[1:-1]]


def resigned(records: Records) -> bytes:
    """As a forger would: every digest anew, and a signature by a key of the forger's own."""
    texts: list[bytes] = []
    prior = records[0]["prior"]
    for record in records[:-1]:
        record["prior"] = prior
        texts.append(json.dumps(record, separators=(",", ":")).encode())
        prior = hashlib.sha256(texts[-1]).hexdigest()
    value = base64.b64encode(STRANGER.sign(texts[-1])).decode()
    signature = {
        "record": "signature",
        "prior": prior,
        "algorithm": "Ed25519",
        "public_key": STRANGERS_KEY,
        "value": value,
    }
    return join([*texts, json.dumps(signature).encode()])


def check(signed: bytes, *keys: str) -> Verified:
    return verify("file", io.BytesIO(signed), keys)


@pytest.fixture
async def shop(coalition: Coalition, month: UUID) -> bytes:
    """The shop's statement: it accepts points, pays fees and owes others outside burns."""
    return (await draw(coalition, "shop", window=month))[1]


@pytest.fixture
async def alpha(coalition: Coalition, month: UUID) -> bytes:
    """The statement of an issuer."""
    return (await draw(coalition, "alpha", window=month))[1]


def of(records: Records, record: str, **fields: Any) -> dict[str, Any]:
    return next(
        each
        for each in records
        if each["record"] == record and all(each.get(key) == fields[key] for key in fields)
    )


def tamper_amount(records: Records) -> None:
    of(records, "line", kind="capture")["cost_micros"] += 1


def tamper_effect(records: Records) -> None:
    of(records, "line", kind="capture")["member_micros"] += 1


def drop_line(records: Records) -> None:
    records.remove(of(records, "line", kind="refund"))


def repeat_line(records: Records) -> None:
    line = of(records, "line", kind="capture")
    records.insert(records.index(line), dict(line))


def swap_rate(records: Records) -> None:
    of(records, "contract")["fee_bps"] = 1


def swap_fee(records: Records) -> None:
    fee = of(records, "fee")
    fee["fee_micros"] -= 1


def swap_net(records: Records) -> None:
    of(records, "sum")["net_micros"] += 1


def swap_contract(records: Records) -> None:
    for line in records:
        if line.get("acceptor_contract"):
            line["acceptor_contract"] = "C-other"


def thaw(records: Records) -> None:
    of(records, "line", kind="capture")["frozen"] = True


TAMPERINGS: dict[Callable[[Records], None], str] = {
    tamper_amount: "its amounts give",
    tamper_effect: "its amounts give",
    drop_line: "by the lines, and stated as",
    repeat_line: "is there twice or out of order",
    swap_rate: "fee of contract C-shop:1 as acceptor: 1 bps",
    swap_fee: "fee of contract C-shop:1 as acceptor: 333 bps",
    swap_net: "net_micros is",
    swap_contract: "contract C-other is not in the statement",
    thaw: "frozen is 1 by the lines",
}


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda each: each.__name__)
def test_a_forger_with_a_key_of_its_own_is_found_by_the_arithmetic(
    tampering: Callable[[Records], None], shop: bytes
) -> None:
    records = json.loads(shop)
    tampering(records)
    faults = check(resigned(records)).faults
    assert any(TAMPERINGS[tampering] in fault for fault in faults), faults


def test_an_issuers_points_are_held_to_the_price_of_its_contract(alpha: bytes) -> None:
    records = json.loads(alpha)
    of(records, "contract", contract="C-alpha:1")["price_micros"] = 7_999
    assert any("another price" in fault for fault in check(resigned(records)).faults)


def test_what_is_whole_but_signed_by_another_is_told_by_the_key(shop: bytes) -> None:
    own = json.loads(shop)[-1]["public_key"]
    assert check(shop, own).faults == []
    forged = resigned(json.loads(shop))
    assert check(forged).faults == []
    assert check(forged, STRANGERS_KEY).faults == []
    (fault,) = check(forged, own).faults
    assert "not the house's" in fault


def test_a_line_that_is_dropped_breaks_the_chain_where_it_was(shop: bytes) -> None:
    texts = split(shop)
    at = next(place for place, text in enumerate(texts) if b'"kind":"refund"' in text)
    faults = check(join(texts[:at] + texts[at + 1 :])).faults
    # The array begins on line 2, and what comes after the gap is where the line itself was.
    assert faults[0].startswith(f"line {at + 2}: the record before it was changed, dropped")


def test_another_signature_does_not_fit(shop: bytes) -> None:
    texts = split(shop)
    texts[-1] = texts[-1].replace(b'"value":"', b'"value":"AAAA', 1)
    assert any("does not fit" in fault for fault in check(join(texts)).faults)


@given(st.data())
def test_no_byte_can_be_changed(data: st.DataObject) -> None:
    signed = SAMPLE
    own = json.loads(signed)[-1]["public_key"]
    place = data.draw(st.integers(0, len(signed) - 1))
    changed = data.draw(st.integers(0, 255).filter(lambda byte: byte != signed[place]))
    tampered = signed[:place] + bytes([changed]) + signed[place + 1 :]
    assert not check(tampered, own).right


@given(st.data())
def test_no_record_can_be_dropped_moved_or_put_in_twice(data: st.DataObject) -> None:
    texts = split(SAMPLE)
    own = json.loads(SAMPLE)[-1]["public_key"]
    place = data.draw(st.integers(0, len(texts) - 1))
    kind = data.draw(st.sampled_from(["drop", "twice", "move"]))
    rest = texts[:place] + texts[place + 1 :]
    if kind == "twice":
        rest = [*texts[:place], texts[place], *texts[place:]]
    elif kind == "move":
        to = data.draw(st.integers(0, len(rest)).filter(lambda each: each != place))
        rest.insert(to, texts[place])
    assert not check(join(rest), own).right


@given(st.data())
def test_a_forger_who_changes_a_number_of_a_line_is_found_by_the_arithmetic(
    data: st.DataObject,
) -> None:
    """Every figure of a line that moves money is bound to others; the forger signs anew."""
    records = json.loads(SAMPLE)
    lines = [each for each in records if each["record"] == "line"]
    line = data.draw(st.sampled_from(lines))
    named = ("cost_micros", "funded_micros", "amount_micros", "member_micros", "pool_micros")
    field = data.draw(st.sampled_from([each for each in named if each in line]))
    line[field] += data.draw(st.integers(-(10**9), 10**9).filter(bool))
    assert not check(resigned(records)).right


@given(st.binary(max_size=300))
def test_rubbish_is_refused_and_nothing_breaks(rubbish: bytes) -> None:
    assert not check(rubbish).right
    assert not check(b"[\n" + rubbish + b"\n]\n").right


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    ),
    st.data(),
)
def test_records_of_another_shape_are_faults_not_crashes(
    value: object, data: st.DataObject
) -> None:
    records = json.loads(SAMPLE)
    record = data.draw(st.sampled_from(records[:-1]))
    name = data.draw(st.sampled_from(sorted(set(record) - {"record", "prior"})))
    if record[name] == value:
        return
    record[name] = value
    check(resigned(records))


# -- several files ---------------------------------------------------------------------------------


async def test_statements_of_a_member_follow_one_another(
    coalition: Coalition, month: UUID, owner: Any
) -> None:
    windows = [month, await close_window(owner), await close_window(owner)]
    files = [(await draw(coalition, "shop", window=each))[1] for each in windows]
    found = [check(each) for each in files]
    assert [each.faults for each in found] == [[], [], []]
    assert [each.number for each in found] == [1, 2, 3]
    assert check_chain(reversed(found)) == []
    (missing,) = check_chain([found[0], found[2]])
    assert "statements 2 to 2 of shop are missing" in missing
    other = check(resigned(json.loads(files[1])))
    assert any("does not follow" in fault for fault in check_chain([found[0], other, found[2]]))
    assert any("different keys" in fault for fault in check_chain([found[0], other]))
    assert any("two statements" in fault for fault in check_chain([found[1], other]))


async def test_the_command_needs_nothing_but_the_file(
    shop: bytes, tmp_path: Path, coalition: Coalition
) -> None:
    right, wrong, keys = (tmp_path / name for name in ("right.json", "wrong.json", "keys"))
    right.write_bytes(shop)
    records = json.loads(shop)
    swap_net(records)
    wrong.write_bytes(resigned(records))
    keys.write_text(f"# the house\n{json.loads(shop)[-1]['public_key']}\n")
    run = CliRunner(env={"MARKETPLACE_DATABASE_URL": None, "MARKETPLACE_SECRET_KEYS": None}).invoke
    done = run(main, ["statement", "verify", str(right), "--key", str(keys)])
    assert done.exit_code == 0, done.output
    assert "right  right.json: statement 1 of shop" in done.output
    done = run(main, ["statement", "verify", str(wrong)])
    assert done.exit_code == 1
    assert "WRONG  wrong.json" in done.output
    assert "net_micros is" in done.output
    assert "Whose key it is was not checked" in done.output
    done = run(main, ["statement", "verify", str(right), str(wrong), "--key", str(keys)])
    assert done.exit_code == 1
    assert "not the house's" in done.output
    keys.write_text("# none\n")
    assert run(main, ["statement", "verify", str(right), "--key", str(keys)]).exit_code == 2


def test_it_runs_alone(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_bytes(SAMPLE)
    # -I: neither the environment nor this folder; only what is installed.
    done = subprocess.run(
        [sys.executable, "-I", "-m", "settlement.statements.verify", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("right  one.json: statement 1 of shop")


SAMPLE = (Path(__file__).parent / "sample.json").read_bytes()
"""A statement as it was signed once: whoever changes the format sees old statements fail here."""

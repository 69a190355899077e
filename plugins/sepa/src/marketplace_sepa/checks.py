"""What is wrong with an account, in words for who typed it: form and check digits, no I/O."""

from __future__ import annotations

import re
from datetime import date

from schwifty import BIC, IBAN
from schwifty.exceptions import SchwiftyException

from marketplace.api import InvalidRequest
from marketplace_sepa.latin import latin
from marketplace_sepa.sides import Account, Address, House

COUNTRY = re.compile(r"[A-Z]{2}")
IDENTIFIER = re.compile(r"[A-Za-z0-9+?:().,' -][A-Za-z0-9+?/:().,' -]{0,34}")
CREDITOR = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{3}[A-Z0-9]{1,28}")
# The EPC's list of countries and territories in the schemes' geographical scope (by IBAN).
_REACHED = (
    "AD AL AT BE BG CH CY CZ DE DK EE ES FI FR GB GI GR HR HU IE IS IT LI LT LU LV MC MD ME MK MT "
    "NL NO PL PT RO RS SE SI SK SM VA"
)
SEPA = frozenset(_REACHED.split())
OUTSIDE = frozenset(["AD", "AL", "CH", "GB", "GI", "MC", "MD", "ME", "MK", "RS", "SM", "VA"])
"""Those of them that are not in the European Economic Area."""


def iban(text: str) -> str:
    """The IBAN without spaces; InvalidRequest says what is wrong with it."""
    compact = re.sub(r"\s", "", text).upper()
    try:
        found = IBAN(compact)
    except (SchwiftyException, ValueError) as error:
        raise InvalidRequest(f"{text!r} is no IBAN: {error}.") from None
    if compact[:2] not in SEPA:
        raise InvalidRequest(f"{compact}: accounts in {compact[:2]} cannot be reached by SEPA.")
    return str(found)


def bic(text: str) -> str:
    """The BIC in capitals, empty if there is none; InvalidRequest says what is wrong with it."""
    compact = text.strip().upper()
    if not compact:
        return ""
    try:
        return str(BIC(compact))
    except (SchwiftyException, ValueError) as error:
        raise InvalidRequest(f"{text!r} is no BIC: {error}.") from None


def check_account(account: Account) -> None:
    """Raises InvalidRequest for an account that no transfer could reach."""
    iban(account.iban)
    bic(account.bic)
    _check_name(account.holder, "The account holder's name")
    _check_address(account)
    if account.mandate_id or account.mandate_signed_on:
        check_mandate(account)


def check_mandate(account: Account) -> None:
    """Raises InvalidRequest where nothing could be collected on the account's mandate."""
    if not account.mandate_id:
        raise InvalidRequest(
            "To collect by direct debit it needs a signed mandate: state its reference and date."
        )
    ends = account.mandate_id[-1:] in ("/", " ") or account.mandate_id.startswith(" ")
    if not IDENTIFIER.fullmatch(account.mandate_id) or "//" in account.mandate_id or ends:
        raise InvalidRequest(
            f"{account.mandate_id!r} is no mandate reference: up to 35 Latin letters, digits and "
            "+ ? / : ( ) . , ' -, no / or space at its ends"
        )
    signed_on(account)
    country = iban(account.iban)[:2]
    if country in OUTSIDE and not account.town.strip():
        raise InvalidRequest(
            f"To collect from an account in {country}, outside the European Economic Area, banks "
            "need the holder's address: town and country at least."
        )


def signed_on(account: Account) -> str:
    """When the mandate was signed, like 2026-11-25."""
    text = account.mandate_signed_on
    try:
        if len(text) != 10:
            raise ValueError
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise InvalidRequest(
            f"{text!r} is not the day the mandate was signed: write it like 2026-11-25."
        ) from None


def check_house(house: House) -> None:
    """Raises InvalidRequest where the clearing house's side is not well formed."""
    iban(house.iban)
    bic(house.bic)
    _check_name(house.name, "The clearing house's name")
    _check_address(house)
    if house.creditor_id:
        creditor_id(house)


def creditor_id(house: House) -> str:
    """The creditor identifier; InvalidRequest where there is none or its check digits are wrong."""
    compact = re.sub(r"\s", "", house.creditor_id).upper()
    if not compact:
        raise InvalidRequest(
            "To collect by direct debit the clearing house needs a creditor identifier: "
            "marketplace plugins configure sepa --set creditor_id=..."
        )
    # Check digits as an IBAN's, without the three characters that the creditor may choose.
    digits = "".join(str(int(each, 36)) for each in compact[7:] + compact[:4] if each.isalnum())
    if not CREDITOR.fullmatch(compact) or int(digits) % 97 != 1:
        raise InvalidRequest(f"{house.creditor_id!r} is no creditor identifier.")
    return compact


def _check_name(text: str, what: str) -> None:
    if not any(each.isalnum() for each in latin(text, 70)):
        raise InvalidRequest(f"{what} {text!r} has no letter that banks can write.")


def _check_address(address: Address) -> None:
    if address.country and not COUNTRY.fullmatch(address.country.strip().upper()):
        raise InvalidRequest(f"{address.country!r} is no country: write two letters, like DE.")
    parts = (address.street, address.building, address.postcode, address.town)
    if any(each.strip() for each in parts) and not (
        address.town.strip() and address.country.strip()
    ):
        raise InvalidRequest("An address needs a town and a country; leave all of it empty if not.")
    if address.town.strip() and not any(each.isalnum() for each in latin(address.town, 35)):
        raise InvalidRequest(f"The town {address.town!r} has no letter that banks can write.")

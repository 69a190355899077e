"""What people of members and of finance are told about settlements."""

from __future__ import annotations

from typing import Final

from marketplace.notices.domain import Category
from marketplace.notices.kind import Field, Kind
from marketplace.notices.marking import N_, NN_, Phrase

_DECIDED: Final = {"opened": Field.DATE, "note": Field.TEXT, "dispute": Field.ID}

STATEMENT_READY: Final = Kind(
    slug="statement_ready",
    category=Category.ACCOUNT,
    subject=Phrase(N_("Your statement of the window until %(closed)s is ready")),
    text=Phrase(
        N_(
            "The window that was closed on %(closed)s is final. Look through its lines: "
            "what is wrong can be disputed until %(until)s."
        )
    ),
    fields={"closed": Field.DATE, "until": Field.DATE, "window": Field.ID},
    shows=True,
    path="/settlement/partner/windows/%(window)s",
    action=N_("See your statement"),
)

DISPUTE_OPENED: Final = Kind(
    slug="dispute_opened",
    category=Category.ACCOUNT,
    subject=NN_(
        "%(member)s disputes %(lines)s line", "%(member)s disputes %(lines)s lines", "lines"
    ),
    text=Phrase(
        N_(
            "%(member)s says that lines of its statement are wrong. Decide by %(until)s, "
            "or its contract does."
        )
    ),
    fields={
        "member": Field.TEXT,
        "lines": Field.NUMBER,
        "until": Field.DATE,
        "dispute": Field.ID,
    },
    shows=True,
    path="/settlement/disputes/%(dispute)s",
    action=N_("See the dispute"),
)

DISPUTE_UPHELD: Final = Kind(
    slug="dispute_upheld",
    category=Category.ACCOUNT,
    subject=Phrase(N_("Your dispute of %(opened)s was upheld")),
    text=Phrase(N_("Adjustments in the window that is open undo your side of the lines. %(note)s")),
    fields=_DECIDED,
    shows=True,
    path="/settlement/partner/disputes/%(dispute)s",
    action=N_("See what came of it"),
)

DISPUTE_REJECTED: Final = Kind(
    slug="dispute_rejected",
    category=Category.ACCOUNT,
    subject=Phrase(N_("Your dispute of %(opened)s was rejected")),
    text=Phrase(N_("The lines are settled as they are. %(note)s")),
    fields=_DECIDED,
    shows=True,
    path="/settlement/partner/disputes/%(dispute)s",
    action=N_("See what came of it"),
)

PAYMENT_FAILED: Final = Kind(
    slug="payment_failed",
    category=Category.ACCOUNT,
    subject=Phrase(N_("A payment failed: %(money)s")),
    text=Phrase(
        N_(
            "The payment %(payment)s of %(money)s failed: %(reason)s. "
            "See whether your account is right; finance pays it again."
        )
    ),
    fields={"payment": Field.TEXT, "money": Field.TEXT, "reason": Field.TEXT},
    shows=True,
    path="/settlement/partner",
    action=N_("See what is owed"),
)

BREAKS_WAIT: Final = Kind(
    slug="breaks_wait",
    category=Category.ACCOUNT,
    subject=NN_(
        "%(breaks)s break waits for more than a day",
        "%(breaks)s breaks wait for more than a day",
        "breaks",
    ),
    text=Phrase(
        N_(
            "Money on statements of the bank is not explained, or payments that are due are on "
            "none. Say what it is."
        )
    ),
    fields={"breaks": Field.NUMBER},
    shows=True,
    path="/settlement/breaks",
    action=N_("See the breaks"),
)

CAP_ALERT: Final = Kind(
    slug="cap_alert",
    category=Category.ACCOUNT,
    subject=Phrase(N_("%(member)s: %(percent)s of the cap is used")),
    text=Phrase(
        N_(
            "%(member)s has used %(percent)s of what its contract lets it owe. "
            "When nothing is left, its points cannot be burnt until windows are settled "
            "or money is paid ahead."
        )
    ),
    fields={"member": Field.TEXT, "percent": Field.TEXT, "path": Field.PATH},
    shows=True,
    path="%(path)s",
    action=N_("See what is owed"),
)

MONEY_KINDS: Final = (
    STATEMENT_READY,
    DISPUTE_OPENED,
    DISPUTE_UPHELD,
    DISPUTE_REJECTED,
    PAYMENT_FAILED,
    BREAKS_WAIT,
    CAP_ALERT,
)

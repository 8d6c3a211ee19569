"""The capsules of the sample stream: names, topics, content and calls to action.

Why it exists: a dashboard is judged with its sample data, so these read like a real workspace.
Not here: who visits (`audience.py`) or what they do (`journeys.py`).
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

ContentType = Literal["document", "video", "link"]
# unused: never accessed; cold: accessed only until 35 days before the end of the stream.
Appeal = Literal["normal", "cold", "unused"]


@dataclass(frozen=True, slots=True)
class ContentItem:
    """One document, video or link of a capsule; `age_days` counts back from the stream's first day."""

    content_id: str
    title: str
    content_type: ContentType
    duration_seconds: int | None = None
    age_days: int = 40
    appeal: Appeal = "normal"


@dataclass(frozen=True, slots=True)
class Cta:
    """One call to action and the conversion it leads to; `cents` is None when nothing is sold."""

    cta_id: str
    cta_type: str
    label: str
    conversion_type: str
    cents: int | None = None


@dataclass(frozen=True, slots=True)
class Capsule:
    """One capsule; weights of the week begin on Monday, rates are fractions 0..1."""

    capsule_id: str
    name: str
    owner: str
    topics: tuple[str, ...]
    queries: tuple[str, ...]
    content: tuple[ContentItem, ...]
    ctas: tuple[Cta, ...]
    week: tuple[float, ...]
    is_office: bool
    region: str
    continue_rate: float
    bounce_rate: float
    growth: float
    age_days: int


_OFFICE_WEEK: Final = (1.20, 1.30, 1.25, 1.20, 1.00, 0.50, 0.55)
_HOME_WEEK: Final = (0.85, 0.80, 0.85, 0.90, 1.00, 1.35, 1.25)

# Queries that carry an e-mail address or a phone number, so that masking has something to show.
PERSONAL_QUERIES: Final = (
    "invoice for jane.doe@example.com",
    "call me back +49 30 901820",
    "order 48213377 status",
)


def _document(slug: str, title: str, appeal: Appeal = "normal") -> ContentItem:
    return ContentItem(f"doc-{slug}", title, "document", appeal=appeal)


def _video(slug: str, title: str, seconds: int) -> ContentItem:
    return ContentItem(f"video-{slug}", title, "video", duration_seconds=seconds)


def _link(slug: str, title: str) -> ContentItem:
    return ContentItem(f"link-{slug}", title, "link")


_CAPSULES: Final = (
    Capsule(
        "onboarding-coach", "Onboarding coach", "Maya Lindqvist",
        ("first week", "accounts and access", "team rituals", "benefits", "equipment"),
        ("vpn setup", "holiday policy", "laptop order", "expense report", "benefits overview"),
        (
            _document("first-week", "Your first week, day by day"),
            _document("access", "Accounts and access checklist"),
            _video("welcome", "Welcome from the team", 180),
            _video("tools", "A tour of our tools", 420),
            _link("handbook", "Employee handbook"),
            _document("buddy", "How the buddy programme works", "cold"),
            _document("parking", "Parking rules 2023", "unused"),
        ),
        (
            Cta("start-checklist", "sign_up", "Start my checklist", "signup"),
            Cta("meet-buddy", "contact", "Meet my buddy", "contact"),
        ),
        _OFFICE_WEEK, True, "europe", 0.74, 0.26, 0.35, 210,
    ),
    Capsule(
        "pricing-explained", "Pricing explained", "Daniel Okafor",
        ("plans compared", "discounts", "billing cycle", "enterprise terms", "refund policy"),
        ("annual discount", "cost per seat", "vat on invoices", "upgrade plan", "cancel any time"),
        (
            _document("plans", "Plans side by side"),
            _document("faq", "Billing questions answered"),
            _video("roi", "What it saves in a year", 300),
            _link("calculator", "Price calculator"),
            _document("discounts", "Discounts for non-profits", "cold"),
            _document("legacy", "Legacy price list", "unused"),
        ),
        (
            Cta("start-trial", "sign_up", "Start a free trial", "signup"),
            Cta("buy-team", "buy", "Buy the Team plan", "purchase", 4900),
            Cta("book-demo", "book_demo", "Book a demo", "demo_request"),
        ),
        _OFFICE_WEEK, True, "america", 0.66, 0.34, 0.60, 340,
    ),
    Capsule(
        "api-companion", "API companion", "Priya Raman",
        ("authentication", "rate limits", "webhooks", "client libraries", "error codes"),
        ("oauth token", "429 too many requests", "webhook retry", "python client", "pagination"),
        (
            _document("quickstart", "Quickstart in five minutes"),
            _document("webhooks", "Webhooks in depth"),
            _video("auth", "Authentication, step by step", 540),
            _video("debugging", "Reading error codes", 360),
            _link("reference", "API reference"),
            _document("migration", "Moving from version 1", "cold"),
            _document("soap", "SOAP gateway notes", "unused"),
        ),
        (
            Cta("get-key", "sign_up", "Get an API key", "signup"),
            Cta("go-pro", "subscribe", "Subscribe to Pro", "subscription", 2900),
        ),
        _OFFICE_WEEK, True, "asia", 0.80, 0.30, 0.90, 160,
    ),
    Capsule(
        "recipe-studio", "Recipe studio", "Chiara Moretti",
        ("weeknight dinners", "baking", "substitutions", "meal prep", "wine pairing"),
        ("gluten free bread", "sourdough starter", "vegan lasagne", "30 minute dinner", "oat milk"),
        (
            _document("meal-plan", "Seven dinners, one shopping list"),
            _video("knife", "Knife skills", 240),
            _video("sourdough", "Sourdough from scratch", 600),
            _link("pantry", "The well-stocked pantry"),
            _document("grill", "Grilling calendar", "cold"),
            _document("fondue", "The fondue handbook", "unused"),
        ),
        (
            Cta("weekly-menu", "newsletter", "Get the weekly menu", "newsletter_signup"),
            Cta("buy-book", "buy", "Buy the cookbook", "purchase", 2450),
        ),
        _HOME_WEEK, False, "europe", 0.70, 0.32, 0.45, 420,
    ),
    Capsule(
        "career-mentor", "Career mentor", "Tom Becker",
        ("salary talks", "interview practice", "changing fields", "leadership", "burnout"),
        ("cover letter", "salary range", "interview questions", "notice period", "mentor"),
        (
            _document("interview", "Twenty interview questions"),
            _video("salary", "Asking for more", 330),
            _link("cv", "CV templates"),
            _document("fax", "Applying by post", "unused"),
        ),
        (
            Cta("book-session", "book_demo", "Book a session", "demo_request"),
            Cta("letter", "newsletter", "Get the career letter", "newsletter_signup"),
        ),
        _HOME_WEEK, False, "america", 0.78, 0.28, 0.50, 260,
    ),
    Capsule(
        "contract-helper", "Contract helper", "Ines Carvalho",
        ("termination", "liability", "data protection", "renewal", "signatures"),
        ("notice clause", "dpa template", "liability cap", "e-signature", "auto renewal"),
        (
            _document("checklist", "Contract review checklist"),
            _document("clauses", "Clause library"),
            _video("redlines", "Reading redlines", 270),
            _document("stamps", "Stamp duty table", "unused"),
        ),
        (
            Cta("ask-counsel", "contact", "Ask counsel", "contact"),
            Cta("clause-pack", "buy", "Buy the clause pack", "purchase", 7900),
        ),
        _OFFICE_WEEK, True, "europe", 0.72, 0.30, 0.25, 300,
    ),
    Capsule(
        "travel-planner", "Travel planner", "Yuki Tanaka",
        ("city breaks", "rail travel", "family trips", "packing", "visas"),
        ("night train", "visa japan", "packing list", "kid friendly museum", "rail pass"),
        (
            _document("weekend", "48 hours in Lisbon"),
            _video("packing", "Carry-on only", 210),
            _link("visas", "Visa finder"),
            _document("cheques", "Traveller's cheques", "unused"),
        ),
        (
            Cta("save-trip", "sign_up", "Save my trip", "signup"),
            Cta("book-rail", "buy", "Buy a rail pass", "purchase", 18900),
        ),
        _HOME_WEEK, False, "asia", 0.71, 0.36, 0.70, 190,
    ),
    Capsule(
        "data-literacy", "Data literacy course", "Amara Nwosu",
        ("averages", "charts", "sampling", "spreadsheets", "storytelling"),
        ("median or mean", "bar chart", "pivot table", "sample size", "correlation"),
        (
            _document("workbook", "Course workbook"),
            _video("charts", "Charts that mislead", 480),
            _video("sampling", "Why samples work", 390),
            _document("abacus", "Abacus exercises", "unused"),
        ),
        (
            Cta("enrol", "sign_up", "Enrol for free", "signup"),
            Cta("certificate", "subscribe", "Subscribe to certificates", "subscription", 1500),
        ),
        _OFFICE_WEEK, True, "america", 0.76, 0.25, 0.80, 120,
    ),
)  # fmt: skip

_EDITIONS: Final = ("", "Nordics", "Iberia", "Benelux", "Alps", "Baltics", "Pacific", "Atlantic")
MAXIMUM_CAPSULE_COUNT: Final = len(_CAPSULES) * len(_EDITIONS)


def sample_capsules(capsule_count: int) -> list[Capsule]:
    """The first `capsule_count` capsules; beyond the named ones, regional editions of them."""
    capsules = []
    for index in range(capsule_count):
        capsule = _CAPSULES[index % len(_CAPSULES)]
        edition = _EDITIONS[index // len(_CAPSULES)]
        if edition:
            capsule = replace(
                capsule,
                capsule_id=f"{capsule.capsule_id}-{edition.lower()}",
                name=f"{capsule.name} · {edition}",
            )
        capsules.append(capsule)
    return capsules

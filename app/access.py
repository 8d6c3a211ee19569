"""Who may read what: `access.yml`, and the decision about one request. Pure but for reading that file.

Why it exists: one function, `decide`, says what a browser sees. Everything it is not sure of is closed: a
list that is missing or wrong, an address that is not on it or that nobody vouched for, a dashboard that
others could reach without a login.
Not here: Streamlit (`login.py`), how a scope is kept to (`publications.py`).
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, cast

import yaml

from app.scope import EVERYTHING, ROLES, Role, Scope

FILE_NAME: Final = "access.yml"
SECTIONS: Final = ("people", "domains", "accept_unverified_email")
ENTRY_KEYS: Final = ("role", "capsules")
ALL: Final = "all"
AGAIN: Final = "Mend it, then check it with `engagement access`."


class AccessError(ValueError):
    """`access.yml` can't be used; the text names the line, the entry, the culprit and the next step."""


@dataclass(frozen=True)
class AccessRules:
    """Scopes by e-mail address and by domain, in small letters; an address wins over its domain."""

    people: Mapping[str, Scope]
    domains: Mapping[str, Scope]
    accepts_unverified_email: bool = False

    def scope_of(self, email: str) -> Scope | None:
        address = email.strip().lower()
        name, _, domain = address.rpartition("@")
        if not name or "@" in name or not domain:
            return None
        return self.people.get(address) or self.domains.get(domain)


@dataclass(frozen=True)
class Request:
    """What is known of a browser: where it asked (None outside one), and who the login says it is.

    `login`: whether the server has a login at all, or `broken` when its settings can't be read.
    """

    login: Literal["configured", "none", "broken"]
    host: str | None = None
    is_logged_in: bool = False
    email: str | None = None
    # True, or the text some providers send instead.
    is_email_verified: bool | str | None = None


@dataclass(frozen=True)
class Refusal:
    """Why a page is closed, for the person in front of it, and what they can do there."""

    title: str
    text: str
    offers: Literal["login", "logout", "nothing"] = "nothing"
    # For the server's log only: it may name other people.
    detail: str = ""


def decide(request: Request, file: Path, *, is_open_to_all: bool) -> Scope | Refusal:
    """What this browser sees. Reads `file` anew at every call, so that a change needs no restart."""
    if request.login == "broken":
        return _closed("The settings of its login, `.streamlit/secrets.toml`, can't be read.")
    if request.login == "none":
        return _without_login(request, file, is_open_to_all=is_open_to_all)
    try:
        rules = read_access(file)
    except AccessError as error:
        return _closed(
            f"Its list of readers, `{FILE_NAME}`, is missing or wrong; `engagement access` says what to do.",
            str(error),
        )
    if not request.is_logged_in:
        return Refusal("Please log in", "The figures are shown to people who are known here.", "login")
    return _of_person(request, rules)


def _without_login(request: Request, file: Path, *, is_open_to_all: bool) -> Scope | Refusal:
    if file.exists():
        return _closed(f"There is a list of readers, `{FILE_NAME}`, but no login that says who they are.")
    if request.host is not None and not is_loopback(host_name(request.host)) and not is_open_to_all:
        return _closed(
            "It is asked for under the name of another machine, and no login is set up. Open it on its own "
            "machine as 127.0.0.1, or set up a login (README, “Let other people read it”)."
        )
    return EVERYTHING


def _of_person(request: Request, rules: AccessRules) -> Scope | Refusal:
    if not request.email:
        return Refusal("No access", "Your login tells no e-mail address, so nobody knows you.", "logout")
    if request.is_email_verified not in (True, "true") and not rules.accepts_unverified_email:
        return Refusal("No access", f"Your login does not vouch for the address {request.email}.", "logout")
    scope = rules.scope_of(request.email)
    if scope is None:
        return Refusal(
            "No access",
            f"{request.email} is not on the list of readers. Ask who runs this dashboard to add it.",
            "logout",
        )
    return scope


def _closed(text: str, detail: str = "") -> Refusal:
    return Refusal("The dashboard is closed", text, detail=detail or text)


def host_name(host: str) -> str:
    """The name of a Host header without its port: `[::1]:8501` is `::1`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def is_loopback(address: str | None) -> bool:
    """Whether an address is reached from this machine only. None and an empty one mean every interface."""
    if not address:
        return False
    if address.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def listening_problem(address: str | None, *, has_login: bool, is_open_to_all: bool) -> str | None:
    """Why the server must not start on `address`; None when it may."""
    if has_login or is_open_to_all or is_loopback(address):
        return None
    return (
        f"The dashboard would listen on {address or 'every interface'} and show everything to everybody, "
        "because no login is set up. Let it listen on 127.0.0.1, set up a login (README, “Let other people "
        "read it”), or set ENGAGEMENT_OPEN_TO_ALL=true if everybody may see everything."
    )


def read_access(file: Path) -> AccessRules:
    """The rules of `access.yml`. Raises `AccessError`, also when there is none."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise AccessError(
            f"{file.name} is missing, so nobody may read. Write it (README, “Let other people read it”) to "
            f"{file}."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise AccessError(f"{file.name} can't be read ({type(error).__name__}). {AGAIN}") from error
    return parse_access(text, file.name)


@lru_cache(maxsize=8)
def parse_access(text: str, name: str = FILE_NAME) -> AccessRules:
    """Rules from the text of `access.yml`; read with line numbers, so that an error names its line."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or "it is no YAML"
        raise AccessError(f"{name}, {where}{problem}. {AGAIN}") from error
    found = _mapping(root, name, "the file", SECTIONS)
    is_lenient = _flag(found.get("accept_unverified_email"), name)
    people = _entries(found.get("people"), name, "people")
    domains = _entries(found.get("domains"), name, "domains")
    if not people and not domains:
        raise AccessError(f"{name}, the file: it names nobody under people or domains. {AGAIN}")
    return AccessRules(people, domains, is_lenient)


def _mapping(
    node: yaml.Node | None, name: str, entry: str, allowed: tuple[str, ...] | None = None
) -> dict[str, yaml.Node]:
    """Keys and values; a repeated key is an error, because YAML would silently drop the first."""
    if not isinstance(node, yaml.MappingNode):
        raise _problem(node, name, entry, "must be a mapping: lines of the form `key: value`")
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        word = str(key.value)
        if allowed is not None and word not in allowed:
            raise _problem(key, name, entry, f"{word!r} is none of {', '.join(allowed)}")
        if word in found:
            raise _problem(key, name, entry, f"{word!r} is named twice")
        found[word] = value
    return found


def _entries(node: yaml.Node | None, name: str, section: str) -> dict[str, Scope]:
    if node is None:
        return {}
    scopes: dict[str, Scope] = {}
    for word, value in _mapping(node, name, section).items():
        who = word.strip().lower()
        _check_who(who, node, name, section)
        if who in scopes:
            raise _problem(value, name, section, f"{word!r} is named twice")
        scopes[who] = _scope(value, name, f"{section}, {word}")
    return scopes


def _check_who(who: str, node: yaml.Node, name: str, section: str) -> None:
    parts = who.split("@")
    if section == "people" and (len(parts) != 2 or not all(parts) or " " in who):
        raise _problem(node, name, section, f"{who!r} is no e-mail address")
    if section == "domains" and (len(parts) != 1 or "." not in who or "*" in who or " " in who):
        raise _problem(node, name, section, f"{who!r} is no domain such as example.org")


def _scope(node: yaml.Node, name: str, entry: str) -> Scope:
    found = _mapping(node, name, entry, ENTRY_KEYS)
    role_node = found.get("role")
    role = str(role_node.value) if isinstance(role_node, yaml.ScalarNode) else None
    if role not in ROLES:
        raise _problem(role_node or node, name, entry, f"role must be {', '.join(ROLES)}, not {role!r}")
    capsules = _capsules(found.get("capsules"), name, entry)
    if role == "admin" and capsules is not None:
        raise _problem(found["capsules"], name, entry, "an admin sees all capsules; leave capsules out")
    if role == "owner" and "capsules" not in found:
        raise _problem(node, name, entry, f"an owner needs capsules: a list, or the word {ALL}")
    return Scope(cast(Role, role), capsules)


def _capsules(node: yaml.Node | None, name: str, entry: str) -> frozenset[str] | None:
    """The listed ids; None for all. An id that looks like a number or a date is taken as it is written."""
    if node is None or (isinstance(node, yaml.ScalarNode) and node.value == ALL):
        return None
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        raise _problem(node, name, entry, f"capsules must be a list of ids, or the word {ALL}")
    for item in node.value:
        if not isinstance(item, yaml.ScalarNode) or not item.value:
            raise _problem(item, name, entry, "a capsule must be an id")
    return frozenset(str(item.value) for item in node.value)


def _flag(node: yaml.Node | None, name: str) -> bool:
    if node is None:
        return False
    if not isinstance(node, yaml.ScalarNode) or node.value not in ("true", "false"):
        raise _problem(node, name, "accept_unverified_email", "must be true or false")
    return bool(node.value == "true")


def _problem(node: Any, name: str, entry: str, problem: str) -> AccessError:
    line = f"line {node.start_mark.line + 1}, " if node is not None else ""
    return AccessError(f"{name}, {line}{entry}: {problem}. {AGAIN}")

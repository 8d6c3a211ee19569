"""Who may read: the list of readers, the decision about a request, and that nothing gets around it."""

import io
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest
from streamlit.testing.v1 import AppTest

from app import login
from app.about import about_view
from app.access import (
    AccessError,
    Refusal,
    Request,
    decide,
    is_loopback,
    listening_problem,
    parse_access,
)
from app.accounting import event_files, load_totals, rejected_lines, rejected_reasons
from app.answers import Answers, answers, ask
from app.breakdowns import capsule_names, country_names
from app.comparison import earlier_period
from app.filter_options import filter_options
from app.insights import insights
from app.publications import Publication, close_publications, current_publication, open_cursor
from app.queries import metric_rows, metric_values, table_columns, table_reader
from app.report import report
from app.scope import EVERYTHING, Scope
from app.selection import Selection, SelectionError
from app.view_exports import view_export
from app.view_tables import event_tables, view_tables
from tests.publication_fixture import ROWS, TABLES, write_publication

ENTRY = Path(__file__).parent.parent / "app" / "streamlit_app.py"
WEEK = Selection(date(2026, 3, 9), date(2026, 3, 15))
URL = {"from": "2026-03-09", "to": "2026-03-15"}
GUIDE = Scope("owner", frozenset({"guide"}))
ONBOARDING = Scope("owner", frozenset({"onboarding"}))
LIST = """
people:
  Ada@Example.org: {role: admin}
  ben@example.org: {role: owner, capsules: [onboarding]}
  eve@example.org: {role: analyst, capsules: [guide, 2026-03-01, 007]}
domains:
  example.org: {role: analyst}
  partner.example: {role: owner, capsules: [guide]}
"""


@pytest.fixture
def published(tmp_path: Path):
    answers.clear()
    write_publication(tmp_path / "published")
    yield tmp_path / "published"
    close_publications()


def logged_in(email: str | None, verified: object = True) -> Request:
    return Request("configured", "metrics.example.org", True, email, verified)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "access.yml"
    found.write_text(LIST, encoding="utf-8")
    return found


# ── the list ──


@pytest.mark.parametrize(
    ("email", "scope"),
    [
        ("ada@example.org", Scope("admin", None)),
        ("ADA@EXAMPLE.ORG", Scope("admin", None)),
        ("ben@example.org", ONBOARDING),
        ("eve@example.org", Scope("analyst", frozenset({"guide", "2026-03-01", "007"}))),
        ("anybody@example.org", Scope("analyst", None)),
        ("sales@partner.example", GUIDE),
        ("anybody@sub.example.org", None),
        ("anybody@example.org.evil.test", None),
        ("ada@example.org@evil.test", None),
        ("@example.org", None),
        ("example.org", None),
        ("", None),
    ],
)
def test_an_address_wins_over_its_domain_and_a_stranger_has_nothing(email, scope) -> None:
    assert parse_access(LIST).scope_of(email) == scope


@pytest.mark.parametrize(
    ("text", "line", "culprit"),
    [
        ("people:\n  a@x.org: {role: boss}", "line 2", "'boss'"),
        ("people:\n  a@x.org: {role: owner}", "line 2", "an owner needs capsules"),
        ("people:\n  a@x.org: {role: admin, capsules: [b]}", "line 2", "an admin sees all"),
        ("people:\n  a@x.org: {role: owner, capsules: []}", "line 2", "capsules must be a list"),
        ("people:\n  a@x.org: {role: owner, capsules: guide}", "line 2", "capsules must be a list"),
        ("people:\n  a@x.org: {role: owner, capsules: [[b]]}", "line 2", "must be an id"),
        ("people:\n  a@x.org: {role: owner, capsule: [b]}", "line 2", "'capsule' is none of"),
        ("people:\n  a@x.org: {role: admin}\n  A@x.org: {role: analyst}", "line 3", "named twice"),
        ("people:\n  a@x.org: {role: admin}\n  a@x.org: {role: analyst}", "line 3", "named twice"),
        ("people:\n  a@x.org:", "line 2", "must be a mapping"),
        ("people:\n  - a@x.org", "line 2", "must be a mapping"),
        ("people:\n  nobody: {role: admin}", "line 2", "no e-mail address"),
        ("domains:\n  '*.org': {role: analyst}", "line 2", "no domain"),
        ("domains:\n  org: {role: analyst}", "line 2", "no domain"),
        ("persons:\n  a@x.org: {role: admin}", "line 1", "'persons' is none of"),
        ("accept_unverified_email: yes\npeople:\n  a@x.org: {role: admin}", "line 1", "true or false"),
        ("people: {a@x.org: {role: admin}", "line 1", "expected"),
        ("people:\n\ta@x.org: 1", "line 2", "cannot start any token"),
        ("", "the file", "must be a mapping"),
        ("people: {}", "the file", "names nobody"),
    ],
)
def test_a_bad_list_names_its_line_the_culprit_and_the_next_step(text, line, culprit) -> None:
    with pytest.raises(AccessError) as refused:
        parse_access(text)
    for part in ("access.yml", line, culprit, "engagement access"):
        assert part in str(refused.value)


# ── the decision ──


@pytest.mark.parametrize(
    ("request_", "title"),
    [
        (Request("configured", "localhost:8501"), "Please log in"),
        (Request("configured", "x.org", False, "ada@example.org", True), "Please log in"),
        (logged_in("mallory@elsewhere.test"), "No access"),
        (logged_in("ada@example.org", verified=False), "No access"),
        (logged_in("ada@example.org", verified="false"), "No access"),
        (logged_in("ada@example.org", verified=None), "No access"),
        (logged_in(None), "No access"),
        (Request("broken", "localhost:8501"), "The dashboard is closed"),
        # Somebody wrote a list, so somebody expects it to be kept to.
        (Request("none", "localhost:8501"), "The dashboard is closed"),
    ],
)
def test_what_is_not_certain_is_closed(file, request_, title) -> None:
    found = decide(request_, file, is_open_to_all=True)
    assert isinstance(found, Refusal)
    assert found.title == title


def test_whoever_is_on_the_list_sees_what_it_says(file) -> None:
    assert decide(logged_in("ben@example.org"), file, is_open_to_all=False) == ONBOARDING
    assert decide(logged_in("ben@example.org", "true"), file, is_open_to_all=False) == ONBOARDING


def test_an_address_nobody_vouches_for_counts_only_where_the_list_says_so(file) -> None:
    file.write_text(f"accept_unverified_email: true\n{LIST}", encoding="utf-8")
    assert decide(logged_in("ben@example.org", None), file, is_open_to_all=False) == ONBOARDING


@pytest.mark.parametrize("content", [None, b"people:\n  ada@example.org: {role: boss}", b"\xff\xfe", b""])
def test_a_missing_or_wrong_list_closes_the_dashboard_and_names_no_person(file, content) -> None:
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    found = decide(logged_in("ada@example.org"), file, is_open_to_all=True)
    assert isinstance(found, Refusal)
    assert found.title == "The dashboard is closed"
    assert "ada@" not in found.text
    assert str(file.parent) not in found.text
    assert "access.yml" in found.detail


def test_without_a_login_this_machine_sees_everything_and_others_nothing(tmp_path) -> None:
    nothing = tmp_path / "access.yml"

    def seen(host: str | None, is_open_to_all: bool = False) -> bool:
        return decide(Request("none", host), nothing, is_open_to_all=is_open_to_all) == EVERYTHING

    assert all(seen(host) for host in ("localhost:8501", "127.0.0.1:8501", "[::1]:8501", "localhost", None))
    assert not any(seen(host) for host in ("metrics.example.org", "192.0.2.7:8501", "localhost.evil.test:80"))
    assert seen("metrics.example.org", is_open_to_all=True)


@pytest.mark.parametrize("address", [None, "", "0.0.0.0", "::", "192.0.2.7", "metrics.example.org"])
def test_the_server_refuses_to_listen_beyond_this_machine_without_a_login(address) -> None:
    problem = listening_problem(address, has_login=False, is_open_to_all=False)
    assert problem is not None
    assert "ENGAGEMENT_OPEN_TO_ALL" in problem
    assert not is_loopback(address)
    assert listening_problem(address, has_login=True, is_open_to_all=False) is None
    assert listening_problem(address, has_login=False, is_open_to_all=True) is None
    assert listening_problem("127.0.0.1", has_login=False, is_open_to_all=False) is None


# ── what a scope sees ──


def opened(published: Path, scope: Scope) -> Publication:
    return current_publication(published, scope)


def test_a_publication_is_never_opened_without_saying_for_whom(published) -> None:
    with pytest.raises(TypeError):
        current_publication(published)
    with pytest.raises(TypeError):
        Publication(id="x", folder=published, published_at=datetime.now(UTC))


def test_figures_without_any_filter_are_those_of_the_own_capsules(published) -> None:
    views = {
        scope: metric_values(opened(published, scope), WEEK, ["view_count"])["view_count"]
        for scope in (EVERYTHING, GUIDE, ONBOARDING, Scope("owner", frozenset()))
    }
    assert list(views.values()) == [5, 3, 2, 0]


def test_a_forged_capsule_answers_as_one_that_does_not_exist(published) -> None:
    publication = opened(published, ONBOARDING)

    def answered(capsule: str) -> list[object]:
        chosen = Selection(WEEK.date_from, WEEK.date_to, (capsule,))
        return [
            metric_values(publication, chosen),
            metric_rows(publication, chosen, ["channel"]),
            insights(publication, chosen),
        ]

    assert answered("guide") == answered("no-such-capsule")
    assert answered("onboarding") != answered("guide")


def test_names_filters_and_insights_are_of_the_own_capsules(published) -> None:
    own, all_of_it = opened(published, ONBOARDING), opened(published, EVERYTHING)
    assert list(capsule_names(own)) == ["onboarding"]
    assert {row["capsule_id"] for row in insights(own, WEEK)} == {"onboarding"}
    assert set(filter_options(own)["country"]) < set(filter_options(all_of_it)["country"])
    assert country_names(own) == country_names(all_of_it)


def test_an_owner_sees_the_accounting_of_own_capsules_and_no_file(published) -> None:
    owner = opened(published, GUIDE)
    assert load_totals(owner)["received"] == 20
    assert [row["reason"] for row in rejected_reasons(owner)] == ["timestamp_without_offset"]
    assert event_files(owner) == rejected_lines(owner) == []
    assert load_totals(opened(published, ONBOARDING))["received"] == 0


def test_an_analyst_of_one_capsule_sees_how_everything_was_loaded(published) -> None:
    analyst = opened(published, Scope("analyst", frozenset({"onboarding"})))
    assert load_totals(analyst)["received"] == 21
    assert [row["file_name"] for row in event_files(analyst)] == ["march.ndjson", "torn.ndjson.gz"]
    assert [row["line_number"] for row in rejected_lines(analyst)] == [21, 7]
    assert metric_values(analyst, WEEK, ["view_count"]) == {"view_count": 2}


def test_an_owner_of_all_capsules_sees_no_line_that_is_of_none(published) -> None:
    owner = opened(published, Scope("owner", None))
    assert load_totals(owner)["received"] == 20
    assert event_files(owner) == []
    assert metric_values(owner, WEEK, ["view_count"]) == {"view_count": 5}


def test_no_table_gives_an_owner_a_row_of_another_capsule(published) -> None:
    publication = opened(published, ONBOARDING)
    shown = table_columns(publication)
    assert set(shown) == set(TABLES) - {"event_files", "rejected_lines"}
    for table, columns in shown.items():
        assert "capsule_id" in columns
        with open_cursor(publication) as cursor:
            found = cursor.execute(f"select distinct capsule_id from marts.{table}").fetchall()
        assert {name for (name,) in found} <= {"onboarding"}, table
    with pytest.raises(SelectionError), table_reader(publication, "event_files"):
        pass


def test_a_table_nobody_thought_of_is_hidden_from_owners(published) -> None:
    columns = {**TABLES, "secret_totals": {"total": "bigint"}}
    with duckdb.connect(published / "20260316T100000-1" / "publication.duckdb") as connection:
        connection.execute("create table marts.secret_totals as select 42 as total")
    assert "secret_totals" in table_columns(opened(published, EVERYTHING))
    hidden = {"secret_totals", "event_files", "rejected_lines"}
    assert set(table_columns(opened(published, GUIDE))) == set(columns) - hidden


@pytest.mark.parametrize(
    "name", ["it's", "'); drop view x; --", "guide' or '1'='1", 'say "hi"', "päge", "a\\b"]
)
def test_the_name_of_a_capsule_is_never_read_as_sql(published, name) -> None:
    publication = opened(published, Scope("owner", frozenset({name})))
    assert metric_values(publication, WEEK, ["view_count"]) == {"view_count": 0}


def test_a_cursor_can_leave_neither_its_files_nor_its_settings(published) -> None:
    with open_cursor(opened(published, GUIDE)) as cursor:
        for attempt in (
            "select * from read_text('/etc/hostname')",
            "select * from glob('/*')",
            "copy (select 1) to 'stolen.csv'",
            f"attach '{published / '20260316T100000-1' / 'publication.duckdb'}' as again",
            "set enable_external_access = true",
            "install httpfs",
            "delete from publication.marts.fct_sessions",
            "create table publication.marts.mine (x integer)",
            "export database 'stolen'",
        ):
            with pytest.raises(duckdb.Error):
                cursor.execute(attempt)


# ── caches, threads, exports ──


def test_two_people_never_share_an_answer_unless_they_see_the_same(published) -> None:
    asked = []

    def views(publication: Publication, selection: Selection) -> int:
        asked.append(publication.scope)
        return int(metric_values(publication, selection, ["view_count"])["view_count"] or 0)

    scopes = (
        GUIDE,
        ONBOARDING,
        EVERYTHING,
        GUIDE,
        Scope("owner", frozenset({"guide"})),
        Scope("analyst", None),
    )
    assert [ask(views, opened(published, scope), WEEK) for scope in scopes] == [3, 2, 5, 3, 3, 5]
    assert asked == [GUIDE, ONBOARDING, EVERYTHING]


def test_forty_threads_of_two_people_get_their_own_figures(published) -> None:
    expected = {GUIDE: 3, ONBOARDING: 2}

    def views(number: int) -> bool:
        scope = (GUIDE, ONBOARDING)[number % 2]
        found = metric_values(opened(published, scope), WEEK, ["view_count"])
        return found["view_count"] == expected[scope]

    with ThreadPoolExecutor(40) as pool:
        assert all(pool.map(views, range(400)))


def test_what_is_being_answered_is_not_asked_twice_and_everybody_gets_a_copy() -> None:
    store, begun = Answers(), []
    gate = threading.Event()

    def slow() -> list[int]:
        begun.append(1)
        gate.wait(10)
        return [1]

    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(store.get, "key", slow) for _ in range(8)]
        gate.set()
        found = [one.result() for one in waiting]
    assert begun == [1]
    found[0].append(2)
    assert found[1] == store.get("key", list) == [1]


def test_answers_are_bounded_in_bytes_and_the_oldest_go_first() -> None:
    store = Answers(most_bytes=2500)
    for key in range(4):
        store.get(key, lambda: b"x" * 1000)
    assert store.size < 2500
    assert store.get(3, lambda: b"new") == b"x" * 1000
    assert store.get(0, lambda: b"new") == b"new"
    store.get("huge", lambda: b"x" * 5000)
    assert store.size < 2500


def test_a_failed_answer_is_asked_again() -> None:
    store = Answers()
    with pytest.raises(ZeroDivisionError):
        store.get("key", lambda: 1 / 0)
    assert store.get("key", lambda: 1.0) == 1.0


def whole_export(publication: Publication) -> str:
    """Every file of an export of the whole view and of its rows one by one, as text."""
    earlier = earlier_period(publication, WEEK, "previous")
    about = about_view(publication, WEEK, earlier, datetime(2026, 3, 16, 11, tzinfo=UTC))
    files = []
    for tables in (view_tables(publication, WEEK, "previous"), event_tables(publication, WEEK)):
        with zipfile.ZipFile(io.BytesIO(view_export(tables, "csv", about))) as archive:
            files += [archive.read(name).decode() for name in archive.namelist()]
    return "\n".join(files)


def test_an_export_and_a_report_name_no_capsule_of_others(published) -> None:
    assert "guide" in whole_export(opened(published, EVERYTHING))
    own = opened(published, ONBOARDING)
    report_text = str(report(own, WEEK, "previous", datetime(2026, 3, 16, 11, tzinfo=UTC)).data)
    assert "onboarding" in whole_export(own)
    assert "see-plans" in whole_export(own)
    for text in (whole_export(own), report_text):
        for foreign in ("guide", "Pricing", "book-demo"):
            assert foreign not in text


def test_no_export_holds_a_key_of_a_person(published) -> None:
    text = whole_export(opened(published, EVERYTHING))
    keys = {row[name] for row in ROWS["fct_sessions"] for name in ("session_key", "visitor_key")}
    assert not {key for key in keys if f",{key}," in text or f"\n{key}," in text}


# ── pages ──


@pytest.fixture
def visitor(published, monkeypatch):
    """Opens a page as one who is logged in; `login._request` is what Streamlit would say of them."""
    monkeypatch.setenv("ENGAGEMENT_HOME", str(published.parent))
    (published.parent / "access.yml").write_text(LIST, encoding="utf-8")

    def open_as(request: Request, page: str = "overview", **url: str) -> AppTest:
        monkeypatch.setattr(login, "_request", lambda: request)
        app = AppTest.from_file(str(ENTRY), default_timeout=60)
        for name, value in {**URL, **url}.items():
            app.query_params[name] = value
        app.run()
        if page != "overview":
            app.switch_page(f"app_pages/{page}.py").run()
        assert not app.exception, app.exception
        return app

    return open_as


def texts(app: AppTest) -> str:
    shown = [*app.caption, *app.markdown, *app.subheader, *app.info, *app.error]
    return " ".join(found.value for found in shown) + str([table.value for table in app.dataframe])


def test_two_people_see_their_own_figures_on_the_same_link(visitor) -> None:
    for email, views in (("ben@example.org", "2"), ("sales@partner.example", "3"), ("ada@example.org", "5")):
        app = visitor(logged_in(email))
        assert next(one.value for one in app.metric if one.label == "Views") == views


def test_a_forged_link_shows_what_a_misspelt_one_shows(visitor) -> None:
    forged = visitor(logged_in("ben@example.org"), capsule="guide")
    misspelt = visitor(logged_in("ben@example.org"), capsule="giude")
    assert not forged.metric
    assert texts(forged).replace("guide", "X") == texts(misspelt).replace("giude", "X")


def test_a_stranger_sees_a_closed_door_and_no_figure(visitor) -> None:
    for request in (logged_in("mallory@elsewhere.test"), Request("broken"), Request("none", "localhost")):
        app = visitor(request)
        assert not app.metric
        assert not app.dataframe
        assert "5" not in texts(app)


@pytest.mark.parametrize(("email", "sees_files"), [("ben@example.org", False), ("eve@example.org", True)])
def test_files_and_checks_are_shown_to_those_who_look_after_loading(visitor, email, sees_files) -> None:
    app = visitor(logged_in(email), "data_quality")
    shown = texts(app)
    received = next(one.value for one in app.metric if one.label == "Lines received")
    assert received == ("21" if sees_files else "0")
    assert ("march.ndjson" in shown) is sees_files
    assert ("Checks of the newest batches" in shown) is sees_files


def test_a_file_is_not_made_for_one_who_lost_access_meanwhile(published) -> None:
    from app.downloads import tables_file
    from app.view import View

    publication = opened(published, ONBOARDING)
    earlier = earlier_period(publication, WEEK, "previous")
    view = View(publication, WEEK, "previous", earlier, {}, lambda: ONBOARDING)
    tables = view_tables(publication, WEEK, "previous")[:1]
    now = datetime(2026, 3, 16, 11, tzinfo=UTC)
    assert tables_file(view, tables, "csv", now)
    with pytest.raises(PermissionError):
        tables_file(replace(view, may_read=lambda: Refusal("No access", "")), tables, "csv", now)

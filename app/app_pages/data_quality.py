"""Data quality: is everything here, what was left out, and why."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.accounting import (
    FATES,
    REJECTED_LINES_SHOWN,
    accounting_by_day,
    event_files,
    load_days,
    load_totals,
    rejected_lines,
    rejected_reasons,
)
from app.answers import ask
from app.breakdowns import bots_left_out
from app.charts import bars
from app.check_results import check_rows, last_checks
from app.consent import consent_by_capsule, consent_shares
from app.format import count_text, counted, day_text, name_text, rate_text
from app.guards import explain_missing
from app.key_figures import card, card_wall, draw_chart, ranking_rows
from app.trend_charts import parts_by_day
from app.view import current_view
from orchestration.settings import load_settings

TIER_NAMES = {
    "user": "Signed in",
    "visitor": "Agreed to be recognised",
    "daily": "Recognised for a day",
    "session": "One session only",
}

CONSENT_NAMES = {"given": "Agreed", "refused": "Refused", "unknown": "Said nothing"}
COUNT_COLUMNS = {
    name_text(name): st.column_config.NumberColumn(format="localized") for name in ("received", *FATES)
}


def counts_of(row: Mapping[str, Any]) -> dict[str, int]:
    """What became of the lines of a day or a file, as columns of a table."""
    return {name_text(name): row[f"{name}_count"] for name in ("received", *FATES)}


# A longer table scrolls within this height.
ROWS_OF_A_TABLE = 10

view = current_view()
whose = "" if view.publication.scope.sees_loading else " of your capsules"
st.caption(
    f"Every line{whose} that was ever received is accounted for; the period filter does not apply to loading."
)

totals = ask(load_totals, view.publication)
if totals:
    # The sum beside its four parts; on a phone above them.
    whole, parts = st.columns([1, 4])
    whole.metric("Lines received", count_text(totals["received"]), border=True, height="stretch")
    with parts:
        for fate, cell in zip(FATES, card_wall(len(FATES)), strict=True):
            share = totals[fate] / totals["received"] if totals["received"] else None
            cell.metric(
                f"Lines {fate}",
                count_text(totals[fate]),
                rate_text(share),
                delta_color="off",
                delta_arrow="off",
                border=True,
                height="stretch",
            )
    missing = totals["received"] - sum(totals[fate] for fate in FATES)
    if missing:
        st.error(
            f"{counted(missing, 'line is', 'lines are')} not accounted for. Please tell a data engineer."
        )
    else:
        st.caption("Received = accepted + duplicate + rejected + suppressed: the sum is exact.")

with card("Lines by day of loading", downloads=["lines_by_day"]):
    if not explain_missing(view, "Loading days", "ingestion_daily"):
        lines = ask(accounting_by_day, view.publication)
        if len({row["load_date"] for row in lines}) == 1:
            st.markdown(f"Everything so far was loaded on {day_text(lines[0]['load_date'])}.")
        elif lines:
            named = [{**row, "fate": name_text(row["fate"])} for row in lines]
            order = [name_text(fate) for fate in FATES]
            draw_chart(
                parts_by_day(named, "load_date", "fate", "line_count", order),
                alt="Lines received per loading day, stacked: accepted, duplicate, rejected, suppressed",
            )
        else:
            st.markdown("Nothing has been loaded yet.")
        if lines:
            st.dataframe(
                [
                    {"Day": row["load_date"], **counts_of(row)}
                    for row in reversed(ask(load_days, view.publication))
                ],
                hide_index=True,
                column_config=COUNT_COLUMNS,
                alt="Lines by day of loading: received, accepted, duplicate, rejected, suppressed",
            )

with st.grid(2, min_column_width=320):
    with card("Why lines were rejected", downloads=["rejected_reasons"]):
        reasons = ask(rejected_reasons, view.publication)
        if reasons:
            st.dataframe(
                [
                    {
                        "Reason": name_text(row["reason"]),
                        "Field": row["field"] or "–",
                        "Lines": row["rejected_count"],
                    }
                    for row in reasons
                ],
                hide_index=True,
                column_config={"Lines": st.column_config.NumberColumn(format="localized")},
                alt="Rejected lines by reason and field",
            )
        else:
            st.markdown("No line was rejected.")
    with card(
        "How visitors are recognised",
        f"Visitors in the chosen period, {view.period_text}.",
        ["by_visitor_tier"],
    ):
        tiers, _ = ranking_rows(view, "visitor_tier", ("visitor_count",), TIER_NAMES)
        if tiers:
            draw_chart(
                bars(tiers, "name", "visitor_count", "Visitors", beside=min(len(reasons), ROWS_OF_A_TABLE)),
                alt="Visitors by tier of identity",
            )
        bots = ask(bots_left_out, view.publication, view.selection)
        st.caption(
            f"Bots in this period: {counted(bots['session_count'], 'session', 'sessions')} with "
            f"{counted(bots['view_count'], 'view', 'views')}, flagged and left out unless asked for."
        )

shares = ask(consent_shares, view.publication, view.selection)
if shares:
    with st.grid(2, min_column_width=320):
        with card(
            "Consent",
            f"Sessions in the chosen period, {view.period_text}, by their last word on it.",
            ["consent"],
        ):
            share_of = {row["consent"]: rate_text(row["share"]) for row in shares}
            st.markdown(
                f"{share_of['given']} of the sessions agreed, {share_of['refused']} refused, "
                f"{share_of['unknown']} said nothing."
            )
            named = [{**row, "name": CONSENT_NAMES[row["consent"]]} for row in shares]
            draw_chart(
                bars(named, "name", "session_count", "Sessions", with_share=True),
                alt="Sessions by consent: agreed, refused, said nothing, with their share",
            )
            st.caption("Who refused is counted without any identity. Nothing said is no consent.")
        with card("Consent by capsule", downloads=["consent_by_capsule"]):
            st.dataframe(
                [
                    {
                        "Capsule": view.capsule_names.get(row["capsule_id"], row["capsule_id"]),
                        "Sessions": row["session_count"],
                        **{name: rate_text(row[f"{answer}_share"]) for answer, name in CONSENT_NAMES.items()},
                    }
                    for row in ask(consent_by_capsule, view.publication, view.selection)
                ],
                hide_index=True,
                column_config={
                    "Sessions": st.column_config.NumberColumn(format="localized"),
                    **{
                        name: st.column_config.TextColumn(alignment="right")
                        for name in CONSENT_NAMES.values()
                    },
                },
                alt="Sessions of each capsule with the shares that agreed, refused and said nothing",
            )

if not view.publication.scope.sees_loading:
    # Files and checks are about lines of every capsule.
    st.stop()

with card("Files", "The newest first.", ["files"]):
    if not explain_missing(view, "Files", "event_files"):
        st.dataframe(
            [
                {
                    "File": row["file_name"],
                    "Status": name_text(": ".join(filter(None, (row["status"], row["refused_reason"])))),
                    **counts_of(row),
                    "Loaded (UTC)": row["loaded_at"],
                }
                for row in ask(event_files, view.publication)
            ],
            hide_index=True,
            column_config={
                "File": st.column_config.TextColumn(width="medium"),
                "Status": st.column_config.TextColumn(width="medium"),
                **COUNT_COLUMNS,
                "Loaded (UTC)": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss"),
            },
            alt="Files with their accounting",
        )

with card(
    "Rejected lines",
    f"The newest {REJECTED_LINES_SHOWN}. Only the shape of a line is kept: letters as a, digits as 9.",
    ["rejected_lines"],
):
    if not explain_missing(view, "Rejected lines", "rejected_lines"):
        lines = ask(rejected_lines, view.publication)
        if lines:
            st.dataframe(
                [
                    {
                        "In file": row["file_name"],
                        "Line": row["line_number"],
                        "Why": name_text(row["reason"]),
                        "Field": row["field"] or "–",
                        "Shape": row["excerpt"] or "–",
                    }
                    for row in lines
                ],
                hide_index=True,
                column_config={"Shape": st.column_config.TextColumn(width="large")},
                alt="Rejected lines with file, line number, reason and field",
            )
        else:
            st.markdown("No line was rejected.")

with card(
    "Checks of the newest batches",
    "What senders are expected to send; one that fails holds nothing up.",
    ["checks"],
):
    checks = last_checks(load_settings().quality)
    if checks is None:
        st.markdown("No batch has been checked yet. Checks run every hour.")
    else:
        failed = sum(one["passed"] is False for one in checks["checks"])
        is_judged = all(one["passed"] is not None for one in checks["checks"])
        good = "All hold." if is_judged else "All that had enough lines to tell hold."
        verdict = f"{counted(failed, 'does', 'do')} not hold." if failed else good
        st.markdown(f"{counted(len(checks['checks']), 'check', 'checks')}. {verdict}")
        st.dataframe(
            check_rows(checks["checks"]),
            hide_index=True,
            column_config={
                "What is expected": st.column_config.TextColumn(width="large"),
                "Lines": st.column_config.NumberColumn(format="localized"),
            },
            alt="Checks of the newest batches with what was found",
        )
        st.caption(f"Checked {checks['checked_at'][:16].replace('T', ' ')} UTC: {checks['looked_at']}.")

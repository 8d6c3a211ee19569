"""Data Docs: the pages of the last run of the quality suite, to be opened from the disk.

Why it exists: Great Expectations' pages fetch style sheets, scripts and pictures from a dozen hosts; nothing
here calls the internet, so they are stripped of these and given a style of their own. The front page is
ours: what was looked at, what was found, what was allowed.
Not here: what is expected (`quality.py`).
"""

import html
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from orchestration.quality import Judged, QualityReport

# What a page would fetch, and the decoration that is dead without it.
_STRIPPED: Final = (
    r"<script\b.*?</script>",
    r"<link\b[^>]*>",
    r"<img\b[^>]*>",
    r"<style\b.*?</style>",
    r"<footer\b.*?</footer>",
    r"""<div class="btn-group.*?</div>""",
)
_STYLE: Final = """<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0 1.5rem; }
th, td { text-align: left; vertical-align: top; padding: 0.35rem 0.75rem 0.35rem 0; }
tr { border-bottom: 1px solid #8884; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.collapse, .card-header, .card-text, .cooltip { display: none; }
.ge-navigation-sidebar-container, [data-toggle=collapse] { display: none; }
.fa-check-circle::before { content: "✓ holds"; }
.fa-times::before, .fa-exclamation-triangle::before { content: "✗ does not hold"; font-weight: 600; }
</style>"""


def write_docs(report: "QualityReport", drawn: Path, target: Path) -> None:
    """Turns the pages that were drawn into `drawn` into the site `target`, replacing the last one."""
    shutil.rmtree(drawn / "static", ignore_errors=True)
    drawn.mkdir(parents=True, exist_ok=True)
    for path in drawn.rglob("*.html"):
        path.write_text(without_network(path.read_text(encoding="utf-8")), encoding="utf-8")
    pages = sorted(path.relative_to(drawn) for path in drawn.glob("*/**/*.html"))
    (drawn / "index.html").write_text("\n".join(_front_page(report, pages)), encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    drawn.rename(target)


def without_network(page: str) -> str:
    """A page that fetches nothing."""
    for pattern in _STRIPPED:
        page = re.sub(pattern, "", page, flags=re.DOTALL | re.IGNORECASE)
    return page.replace("</head>", f"{_STYLE}</head>", 1)


def _front_page(report: "QualityReport", pages: list[Path]) -> Iterator[str]:
    batches = (
        f"batch {report.last_batch}"
        if report.first_batch == report.last_batch
        else f"batches {report.first_batch} to {report.last_batch}"
    )
    yield "<!DOCTYPE html>"
    yield '<html lang="en"><head><meta charset="utf-8"><title>Quality of raw batches</title>'
    yield f"{_STYLE}</head><body>"
    yield "<h1>Quality of raw batches</h1>"
    yield f"<p>Checked {report.checked_at}: {batches}, {report.file_count:,} files, {report.looked_at}.</p>"
    if report.missing_file_count:
        yield f"<p>{report.missing_file_count:,} files are no longer in the archive and were left out.</p>"
    yield "<p>Shares of flags, never a value that was sent. Nothing here holds up a publication.</p>"
    yield "<table><thead><tr><th>What is expected</th><th>Verdict</th><th class=number>Found</th>"
    yield "<th class=number>Lines</th></tr></thead>"
    yield "<tbody>"
    for check in sorted(report.checks, key=lambda one: (one.passed is not False, one.passed is None)):
        yield (
            f"<tr><td>{html.escape(check.sentence)}<br><small>{check.name}</small></td>"
            f"<td>{verdict(check)}</td><td class=number>{_found_text(check)}</td>"
            f"<td class=number>{check.line_count:,}</td></tr>"
        )
    yield "</tbody></table>"
    for page in pages:
        name = {"validations": "Results", "expectations": "The suite"}.get(page.parts[0], page.stem)
        yield f'<p><a href="{html.escape(page.as_posix())}">{name}, as Great Expectations shows it</a></p>'
    yield "</body></html>"


def verdict(check: "Judged") -> str:
    """The verdict in words."""
    if check.passed is None:
        return "too few lines to tell"
    if check.passed:
        return "holds"
    return "does not hold: error" if check.severity == "error" else "does not hold: warning"


def _found_text(check: "Judged") -> str:
    if check.stated is None:
        return "–"
    return (
        f"{check.stated:.2f} times" if check.name == "day_volume_is_usual" else f"{check.stated * 100:.1f}%"
    )

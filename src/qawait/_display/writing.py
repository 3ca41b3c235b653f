"""A card written out: as HTML for a notebook, and as the same in plain text.

No text of a card is HTML, whoever wrote it. Colours follow the page on which the output
stands: text and lines are made of its own text colour, which is dark on a light theme and
light on a dark one. Asking the browser which theme the *system* has would be wrong as
often as the two differ. JupyterLab's own variables, where they exist, give the colours
of success, warning and error.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from qawait._display.card import Bar, Facts, Note, Table
from qawait._display.words import one_line

if TYPE_CHECKING:
    from qawait._display.card import Card, Part, Row

__all__ = ["as_html", "as_text", "bundle"]

_STYLE = """
&{color:var(--jp-content-font-color1,inherit);font-size:13px;line-height:1.5;
max-width:46em;margin:2px 0;padding:8px 12px;border:1px solid rgba(128,128,128,.35);
border-radius:6px;overflow-x:auto;box-sizing:border-box}
& code{font-family:var(--jp-code-font-family,ui-monospace,monospace);font-size:12px;
color:inherit;background:none;padding:0;border:0;overflow-wrap:anywhere}
& .qawait-head{display:flex;flex-wrap:wrap;gap:2px 8px;align-items:baseline}
& .qawait-head b{font-weight:600}
& .qawait-quiet,& th,& .qawait-facts td:first-child{opacity:.7}
& .qawait-chip{margin-left:auto;font-weight:600;white-space:nowrap}
& .qawait-chip::before{content:"";display:inline-block;width:.6em;height:.6em;
border-radius:50%;background:currentColor;margin-right:.4em}
& .qawait-bar{display:flex;height:8px;margin:8px 0 4px;border-radius:4px;
overflow:hidden;background:rgba(128,128,128,.22)}
& table{border-collapse:collapse;margin:6px 0 0;border:0;font-size:inherit;
color:inherit;width:auto;table-layout:auto;display:table;box-shadow:none}
& table.qawait-table{width:100%}
& tr,& tr:nth-child(odd),& tr:hover{background:none;border:0}
& td,& th{text-align:left;vertical-align:baseline;padding:1px 14px 1px 0;border:0;
font-weight:400;background:none;white-space:normal;max-width:none;color:inherit;
line-height:1.5}
& td:last-child,& th:last-child{padding-right:0}
& .qawait-facts td:first-child{white-space:nowrap}
& .qawait-facts td:last-child{overflow-wrap:anywhere}
& thead th{border-bottom:1px solid rgba(128,128,128,.35)}
& td.qawait-right,& th.qawait-right{text-align:right;white-space:nowrap;
font-variant-numeric:tabular-nums}
& td.qawait-share{width:30%;min-width:60px;vertical-align:middle}
& td.qawait-share div{height:8px;border-radius:2px;min-width:1px}
& .qawait-note{margin:6px 0 0}
& .qawait-muted{opacity:.7}
& .qawait-waiting{color:var(--jp-warn-color1,#b7791f)}
& .qawait-working{color:var(--jp-brand-color1,#3b82f6)}
& .qawait-good{color:var(--jp-success-color1,#2f9e5f)}
& .qawait-bad{color:var(--jp-error-color1,#dc4c46)}
& .qawait-bar .qawait-muted{opacity:0}
& .qawait-fill{background:currentColor}
""".replace("&", ".qawait.qawait.qawait").replace("\n", "")
"""One class three times over: pages style every table, and more than once."""

_WIDTH = 40
"""Characters of a bar in plain text."""


def bundle(card: Card) -> dict[str, str]:
    """The card by MIME type, as notebooks take it."""
    return {"text/plain": as_text(card), "text/html": as_html(card)}


def coded(text: str) -> str:
    """Escaped, and what stands between backticks as code."""
    text = escape(text)
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return text
    return "".join(
        f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts)
    )


# --- HTML ------------------------------------------------------------------------------


def as_html(card: Card) -> str:
    """One element, with its style within."""
    head = [f"<b>{escape(one_line(card.kind))}</b>"]
    if card.name:
        head.append(f"<code>{escape(one_line(card.name))}</code>")
    if card.about:
        head.append(f'<span class="qawait-quiet">{coded(one_line(card.about))}</span>')
    if card.state:
        tone = f"qawait-chip qawait-{card.tone}"
        head.append(f'<span class="{tone}">{escape(one_line(card.state))}</span>')
    parts = "".join(_part_as_html(part) for part in card.parts)
    return (
        f'<div class="qawait"><style>{_STYLE}</style>'
        f'<div class="qawait-head">{"".join(head)}</div>{parts}</div>'
    )


def _part_as_html(part: Part) -> str:
    match part:
        case Facts():
            rows = "".join(
                f"<tr><td>{escape(one_line(name))}</td><td>{coded(one_line(value))}</td></tr>"
                for name, value in part.rows
            )
            return f'<table class="qawait-facts"><tbody>{rows}</tbody></table>'
        case Bar():
            return _bar_as_html(part)
        case Table():
            return _table_as_html(part)
        case Note():
            text = coded(one_line(part.text, 1000))
            return f'<div class="qawait-note qawait-{part.tone}">{text}</div>'


def _bar_as_html(bar: Bar) -> str:
    said = escape(_in_words(bar), quote=True)
    drawn = "".join(
        f'<div class="qawait-fill qawait-{segment.tone}"'
        f' style="width:{100 * segment.amount / bar.total:.2f}%"></div>'
        for segment in bar.segments
        if segment.amount and bar.total
    )
    return (
        f'<div class="qawait-bar" role="img" title="{said}" aria-label="{said}">'
        f"{drawn}</div>"
    )


def _table_as_html(table: Table) -> str:
    right = [' class="qawait-right"' if n in table.right else "" for n in range(64)]
    shares = any(row.share is not None for row in table.rows)
    headings = "".join(
        f"<th{right[n]}>{escape(one_line(text))}</th>"
        for n, text in enumerate(table.headings)
    ) + ("<th></th>" if shares else "")
    lines: list[str] = []
    for row in table.rows:
        cells: list[str] = []
        for n, cell in enumerate(row.cells):
            text = escape(one_line(cell))
            if n in table.code:
                text = f"<code>{text}</code>"
            elif n == 0 and row.tone != "plain":
                text = f'<span class="qawait-{row.tone}">{text}</span>'
            cells.append(f"<td{right[n]}>{text}</td>")
        if shares:
            cells.append(_share_as_html(row))
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<table class="qawait-table"><thead><tr>{headings}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table>"
    )


def _share_as_html(row: Row) -> str:
    if row.share is None:
        return "<td></td>"
    width = f"width:{100 * min(max(row.share, 0.0), 1.0):.2f}%"
    return (
        '<td class="qawait-share">'
        f'<div class="qawait-fill qawait-working" style="{width}"></div></td>'
    )


# --- plain text ------------------------------------------------------------------------


def as_text(card: Card) -> str:
    """The same in lines."""
    head = " ".join(
        one_line(word) for word in (card.kind, card.name, card.about) if word
    )
    lines = [f"{head}: {one_line(card.state)}" if card.state else head]
    for part in card.parts:
        lines += [f"  {line}" for line in _part_as_text(part)]
    return "\n".join(lines)


def _part_as_text(part: Part) -> list[str]:
    match part:
        case Facts():
            rows = [(one_line(name), one_line(value)) for name, value in part.rows]
            wide = max((len(name) for name, _ in rows), default=0)
            return [f"{name:<{wide}}  {value}".rstrip() for name, value in rows]
        case Bar():
            return [_bar_as_text(part)]
        case Table():
            return _table_as_text(part)
        case Note():
            return [one_line(part.text, 1000)]


def _in_words(bar: Bar) -> str:
    told = (f"{s.amount:,} {s.label}" for s in bar.segments if s.amount)
    return one_line(", ".join(told))


def _bar_as_text(bar: Bar) -> str:
    drawn = told = 0
    text = ""
    for segment, mark in zip(bar.segments, "#x>", strict=False):
        told += segment.amount
        end = round(_WIDTH * told / bar.total) if bar.total else 0
        text += mark * (end - drawn)
        drawn = end
    return f"[{text:<{_WIDTH}}] {_in_words(bar)}".rstrip()


def _table_as_text(table: Table) -> list[str]:
    rows = [
        [one_line(cell) for cell in cells]
        for cells in (table.headings, *(row.cells for row in table.rows))
    ]
    wide = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]

    def line(cells: list[str]) -> str:
        aligned = (
            f"{cell:>{wide[n]}}" if n in table.right else f"{cell:<{wide[n]}}"
            for n, cell in enumerate(cells)
        )
        return "  ".join(aligned).rstrip()

    return [line(row) for row in rows]

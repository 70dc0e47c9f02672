"""The table: one row for each figure, what it is held against in the same run, and whether the target is met."""
import dataclasses

MET, MISSED, NOT_RUN, FOR_COMPARISON = "met", "MISSED", "not run", ""


@dataclasses.dataclass
class Row:
    figure: str
    value: float | None = None
    unit: str = ""
    reference: float | None = None
    reference_name: str = ""
    target: str = ""
    result: str = FOR_COMPARISON
    note: str = ""


def at_most(figure, value, unit, limit, reference=None, reference_name="", note=""):
    return Row(figure, value, unit, reference, reference_name, f"≤ {limit:g} {unit}", MET if value <= limit else MISSED, note)


def at_least(figure, value, unit, limit, reference=None, reference_name="", note=""):
    return Row(figure, value, unit, reference, reference_name, f"≥ {limit:g} {unit}", MET if value >= limit else MISSED, note)


def share_of(figure, value, unit, share, reference, reference_name, note=""):
    """At least so much of what the reference does."""
    return Row(figure, value, unit, reference, reference_name, f"≥ {share:g} ×", MET if value >= share * reference else MISSED, note)


def above_floor(figure, value, unit, allowance, floor, floor_name, note=""):
    """At most so much more than the floor, which nothing can go below."""
    return Row(figure, value, unit, floor, floor_name, f"≤ floor + {allowance:g} {unit}",
               MET if value <= floor + allowance else MISSED, note)


def not_run(figure, reason):
    return Row(figure, result=NOT_RUN, note=reason)


def number(value):
    if value is None:
        return ""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2f}"


def _cells(row):
    reference = f"{number(row.reference)} ({row.reference_name})" if row.reference is not None else ""
    ratio = f"{row.value / row.reference:.2f} ×" if row.value is not None and row.reference else ""
    value = f"{number(row.value)} {row.unit}".strip()
    return [row.figure, value, reference, ratio, row.target, row.result, row.note]


def render(rows):
    lines = [["figure", "berth", "reference", "ratio", "target", "result", "note"], *map(_cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rule = "  ".join("-" * width for width in widths[:-1])
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    return "\n".join([text[0], rule, *text[1:]])

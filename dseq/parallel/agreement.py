"""What the ranks tell each other when they enter or leave a section, and how a difference is put into words."""

import hashlib
from dataclasses import dataclass, field

CALL, LEFT, EXIT = "call", "left", "exit"


@dataclass(frozen=True)
class Record:
    """Where a rank is.

    Attributes:
        kind: CALL: it enters a section; LEFT: an exception took it out of one; EXIT: its program has ended.
        section: Name of the section.
        facts: (label, value) pairs that must be equal on all ranks.
        detail: For people; not compared.
        fatal: Whether this rank is about to end the job, unless all others have the same record; not compared.
    """

    kind: str
    section: str = ""
    facts: tuple = ()
    detail: str = field(default="", compare=False)
    fatal: bool = field(default=False, compare=False)

    def digest(self) -> bytes:
        """16 bytes, equal on two ranks only if their records are."""
        text = repr((self.kind, self.section, self.facts))
        return hashlib.blake2b(text.encode(), digest_size=16).digest()


def explain(records: list[Record]) -> str:
    """The message for records, one of each rank, that differ.

    Args:
        records: In rank order.
    """
    calls = [record for record in records if record.kind == CALL]
    sections = {record.section for record in calls}
    if len(calls) < len(records):
        return (
            f"All ranks must take part in {' and '.join(sorted(sections)) or 'the same sections'}. "
            f"Received: {_groups([_whereabouts(record) for record in records])}. "
            f"Do not end the program, or return early, on some ranks only."
        )
    if len(sections) > 1:
        return (
            f"All ranks must call the same methods of dseq in the same order. "
            f"Received: {_groups([f'in {record.section}' for record in records])}. "
            f"Do not put calls under a condition on the rank: dseq itself prints and writes on one rank only."
        )
    section = records[0].section
    label, values = _first_difference([record.facts for record in records])
    remedy = (
        "Build the same model on every rank."
        if label in ("model", "optimizer", "loss") or label.startswith("layer ")
        else "Pass the same on every rank: dseq itself gives each rank its share."
    )
    return (
        f"All ranks must call {section} with the same model, data and arguments. "
        f"Received: {label} differs: {_groups(values)}. {remedy}"
    )


def _first_difference(facts):
    for row in zip(*facts, strict=False):
        labels, values = zip(*row, strict=True)
        if len(set(labels)) > 1:
            return "what is passed", list(labels)
        if len(set(values)) > 1:
            return labels[0], list(values)
    return "what is passed", [f"{len(pairs)} facts, the last {pairs[-1:]}" for pairs in facts]


def _whereabouts(record):
    if record.kind == EXIT:
        return "program ended"
    if record.kind == LEFT:
        return f"left {record.section} by {record.detail}"
    return f"in {record.section}"


def _groups(values):
    """`rank 0: a; ranks 1-3: b`: ranks with the same value together."""
    groups = {}
    for rank, value in enumerate(values):
        groups.setdefault(value, []).append(rank)
    return "; ".join(f"{ranks_text(ranks)}: {value}" for value, ranks in groups.items())


def ranks_text(ranks: list[int]) -> str:
    """`rank 0`, `ranks 1-3, 7`: sorted ranks as text."""
    runs = []
    for rank in ranks:
        if runs and rank == runs[-1][1] + 1:
            runs[-1][1] = rank
        else:
            runs.append([rank, rank])
    text = ", ".join(str(lo) if lo == hi else f"{lo}-{hi}" for lo, hi in runs)
    return f"{'rank' if len(ranks) == 1 else 'ranks'} {text}"

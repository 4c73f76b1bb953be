"""The tables of the account: places, students, SIMs, custody. All but ``vault`` are projections of the ledger.

Names, phone numbers of people and guardians are in ``vault`` only, encrypted with a key that is not in the database.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from fleet.models.base import metadata
from fleet.models.bench import units

places = Table(
    "places",
    metadata,
    Column("place", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("area", String, nullable=False),
    Column("since", String, nullable=False),
)
"""``place`` is a short code, ``kind`` one of store, bench, school and repair; it decides the state of what is there."""

batches = Table(
    "batches",
    metadata,
    Column("batch", String, primary_key=True),
    Column("donor", String, nullable=False),
    Column("announced", Integer),
    Column("since", String, nullable=False),
)
"""What a donor gave at once. ``announced``: how many units the donor's papers speak of."""

students = Table(
    "students",
    metadata,
    Column("student", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("school", String, nullable=False),
    Column("area", String, nullable=False),
    Column("grade", String, nullable=False),
    Column("class_name", String, nullable=False),
    Column("category", String, nullable=False),
    Column("household", String, nullable=False),
    Column("connection", String, nullable=False),
    Column("teacher", String, nullable=False),
    Column("source", String, nullable=False),
    Column("since", String, nullable=False),
    Column("changed", String, nullable=False),
    Index(None, "school"),
    Index(None, "household"),
    Index(None, "state", "area", "category", "student"),
)
"""Pseudonyms. ``grade`` is 1 to 12 where it is a number, ``class_name`` as the school writes it (6A). ``state`` is
enrolled, left or forgotten; ``household`` a keyed hash ("" unknown); ``connection`` what there is at home: line, sim,
none or unknown."""

student_ids = Table(
    "student_ids",
    metadata,
    Column("student", String, ForeignKey(students.c.student), primary_key=True),
    Column("hash", String, primary_key=True),
    Column("kind", String, nullable=False),
    Index(None, "hash"),
    sqlite_with_rowid=False,
)
"""Keyed hashes of normalised identifiers, by which one child in two lists is known for one, and found by name or phone.
``kind`` is id, number or birth (name, birthday and school), or one of :data:`SHARED_KINDS`."""

SHARED_KINDS = ("alike", "name", "phone")
"""Hashes that several children may have. ``alike``: name, birthday and school of one who is known to be another."""

vault = Table(
    "vault",
    metadata,
    Column("student", String, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("mark", String, nullable=False),
    sqlite_with_rowid=False,
)
"""Who a student is, encrypted, and a keyed hash of it: what is the same need not be opened to be known for the same.
Forgetting deletes the row; the ledger never held it. PINs of units are here, too, by the key of the unit."""

custody = Table(
    "custody",
    metadata,
    Column("unit", String, ForeignKey(units.c.key), primary_key=True),
    Column("state", String, nullable=False),
    Column("place", String, nullable=False),
    Column("batch", String, nullable=False),
    Column("holder", String, index=True),
    Column("assigned", String, index=True),
    Column("since", String, nullable=False),
    Column("received_at", String),
    Column("benched_at", String),
    Index(None, "place", "state"),
    Index(None, "state", "since"),
    Index(None, "batch", "state"),
    sqlite_with_rowid=False,
)
"""Where each unit is now. ``place`` is "" where nobody said: of a unit in transit it is where it is bound for, of one
with a student, lost or retired where it was last. ``holder`` is the student who accepted it and has it now,
``assigned`` the one it is meant for. ``state`` is that of ``units``. ``received_at``: when its papers came;
``benched_at``: when a bench first saw it; NULL is never."""

holdings = Table(
    "holdings",
    metadata,
    Column("unit", String, ForeignKey(units.c.key), primary_key=True),
    Column("since", String, primary_key=True),
    Column("until", String),
    Column("state", String, nullable=False),
    Column("place", String, nullable=False),
    Column("student", String),
    Column("step", String, nullable=False),
    Column("why", String, nullable=False),
    Index(None, "since", "until", "step"),
    Index(None, "student"),
    Index(None, "place", "since"),
)
"""Where every unit was, from when until when, without a gap. The open one (``until`` NULL) is what ``custody`` says.
``student``: who had it, lost it, brought it back or refused it."""

acceptances = Table(
    "acceptances",
    metadata,
    Column("unit", String, ForeignKey(units.c.key), primary_key=True),
    Column("at", String, primary_key=True),
    Column("student", String, nullable=False, index=True),
    Column("taken_by", String, nullable=False),
    Column("kit", String, nullable=False),
    Column("condition", String, nullable=False),
    Column("checks", String, nullable=False),
    Column("returned_at", String),
    Column("returned_kit", String),
    Column("returned_condition", String),
)
"""Every hand-over that was accepted. ``taken_by`` is a role (guardian, student, teacher), never a name; kits are
canonical JSON of piece to number. ``checks`` is canonical JSON of what was looked at: ``guardian_present``, and ``ids``
of role to the last four characters of the paper that was shown."""

counts = Table(
    "counts",
    metadata,
    Column("place", String, primary_key=True),
    Column("at", String, primary_key=True),
    Column("expected", Integer, nullable=False),
    Column("found", Integer, nullable=False),
    Column("missing", Integer, nullable=False),
    Column("unexpected", Integer, nullable=False),
)
"""Every count of a place: ``expected`` = ``found`` + ``missing``; ``unexpected`` lay there, recorded elsewhere."""

missing = Table(
    "missing",
    metadata,
    Column("unit", String, ForeignKey(units.c.key), primary_key=True),
    Column("since", String, primary_key=True),
    Column("until", String),
    Column("place", String, nullable=False),
    Index(None, "place"),
    Index(None, "until", "unit"),
)
"""Units that a count did not find where they are recorded; until a count finds them or the next step of custody."""

bench_places = Table(
    "bench_places",
    metadata,
    Column("bench", String, primary_key=True),
    Column("place", String, nullable=False),
)
"""At which place each bench stands, where somebody said it."""

bench_vaults = Table(
    "bench_vaults",
    metadata,
    Column("bench", String, primary_key=True),
    Column("vault", String, primary_key=True),
    Column("since", String, nullable=False),
)
"""With which key of the vault (its fingerprint) each bench names students. Two keys name one child twice."""

unit_joins = Table(
    "unit_joins",
    metadata,
    Column("unit", String, primary_key=True),
    Column("into", String, nullable=False, index=True),
    Column("serial", String, nullable=False, index=True),
    Column("tag", String, index=True),
    Column("at", String, nullable=False),
)
"""Units that turned out to be another one, misread: they have no other rows, and their names mean that one."""

sims = Table(
    "sims",
    metadata,
    Column("iccid", String, primary_key=True),
    Column("msisdn", String, index=True),
    Column("carrier", String, nullable=False),
    Column("quota", String, nullable=False),
    Column("days", Integer),
    Column("state", String, nullable=False),
    Column("unit", String, index=True),
    Column("unit_state", String),
    Column("student", String, index=True),
    Column("place", String, nullable=False),
    Column("since", String, nullable=False),
    Column("activated_at", String),
    Column("accepted_at", String),
    Column("ends_at", String),
    Column("used_at", String),
    Column("used_bytes", BigInteger),
    Column("read_at", String),
    Column("read_unit", String, index=True),
    Column("missed_at", String, index=True),
    Index(None, "state"),
    Index(None, "since", "state"),
    Index(None, "ends_at", "state", "unit_state", "unit"),
)
"""The SIMs of the programme. ``iccid`` in the form of fleet.iccid.normal; ``msisdn`` as +84981234567, NULL where not
known. ``quota`` as profiles write it (4 GB/day); the clock (``ends_at``) starts at acceptance. ``unit`` is where it was
put, ``unit_state`` the state of that one (fleet.unit_states). ``read_unit`` is where a bench last read it, at
``read_at``: that they differ is told. ``missed_at``: since when a bench that looks into its unit does not find it
there, NULL where it does. ``used_at`` is the last day (2021-10-05) on which data were used, ``used_bytes`` all that was
counted."""

programmes = Table(
    "programmes",
    metadata,
    Column("programme", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("body", String, nullable=False),
    Column("since", String, nullable=False),
)
"""The programme file as it was last taken over: canonical JSON."""

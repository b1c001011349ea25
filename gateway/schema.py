"""The tables of the box's database, as the migrations make them. Rows are added, never bent (design: the store).

Times are milliseconds UTC by the box's clock; `clock` is 1 where that clock was trusted. Names and numbers of pupils
stand in `pupil` alone.
"""

from typing import Final

from sqlite_utils import Database, Migrations

from gateway import audit

migrations = Migrations("gateway")

_FIRST: Final = """
create table box(k text primary key, v text not null);
create table pen(mac text primary key, model text, firmware text, name text, first_ms int not null,
    adopted_ms int, forgotten_ms int);
create table binding(id integer primary key, pen text not null, seat int not null, from_ms int not null, to_ms int,
    how text not null);
create index binding_pen on binding(pen, from_ms);
create table claim(id integer primary key, join_ms int not null, pen text not null, seat int not null,
    at_ms int not null, unique(join_ms, pen, seat));
create table link(id integer primary key, pen text not null, adapter text not null, from_ms int not null, to_ms int,
    reason text);
create table journal(seq integer primary key, at_ms int not null, packed blob not null);
create table ink(id integer primary key, seq int not null, pen text not null, section int not null, owner int not null,
    note int not null, page int not null, down_ms int not null, piece int not null, dots int not null,
    sum int not null, packed blob not null, up_ms int not null, pen_ms int not null, time_known int not null,
    ended text not null, how text not null, tip text not null, clock int not null,
    unique(pen, section, owner, note, page, down_ms, piece, how));
create index ink_page on ink(section, owner, note, page, down_ms);
create table loss(id integer primary key, seq int not null, pen text not null, from_ms int not null,
    to_ms int not null, events int, cause text not null, section int, owner int, note int, page int, healed_by int);
create index loss_pen on loss(pen, from_ms);
create table oddity(id integer primary key, seq int not null, pen text not null, at_ms int not null,
    kind text not null, command int, payload blob not null, count int not null default 1);
create table pupil(pseudonym text primary key, number text not null unique, name text not null, seat int not null,
    added_ms int not null, left_ms int);
create table sheet(id text not null, rev int not null, text text not null, added_ms int not null,
    primary key(id, rev));
create table lesson(id text primary key, sheet text not null, sheet_rev int not null, started_ms int not null,
    stopped_ms int);
create table lesson_seat(lesson text not null, seat int not null, pupil text not null, primary key(lesson, seat));
create table reading(id integer primary key, lesson text not null, field text not null, pupil text not null,
    ink text not null, reader text not null, value text, confidence real not null, accepted int not null,
    more text not null, at_ms int not null, unique(lesson, field, pupil, ink, reader));
create table grade(id text not null, rev int not null, lesson text not null, field text not null, pupil text not null,
    state text not null, value text, points real, max_points real not null, confidence real,
    reader text not null, key text not null, ink text not null, decided_by text not null, coverage real,
    why text not null, at_ms int not null, clock int not null, primary key(id, rev));
create index grade_lesson on grade(lesson, pupil, field);
create view bound as select pen, seat from binding where to_ms is null;
create view unhealed as select * from loss where healed_by is null;
create view newest_grade as select g.* from grade g join (select id, max(rev) rev from grade group by id)
    using (id, rev);
"""


@migrations()
def first(db: Database) -> None:
    """Every table of the gateway."""
    for statement in _FIRST.split(";\n"):
        if statement.strip():
            db.conn.execute(statement)


_DRAINS: Final = """
create table drain(id integer primary key, pen text not null, from_ms int not null, to_ms int not null,
    strokes int not null, dots int not null, pages int not null, whole int not null, why text);
create index drain_pen on drain(pen, to_ms);
create table window(loss integer primary key, parts text not null);
create index ink_memory on ink(pen, pen_ms) where how = 'memory';
create view newest_drain as select d.* from drain d join (select pen, max(id) id from drain group by pen) using (id);
"""


@migrations()
def drains(db: Database) -> None:
    """What was drained of pens' memories, and which losses a drain may heal."""
    for statement in _DRAINS.split(";\n"):
        if statement.strip():
            db.conn.execute(statement)


_AUDIT: Final = """
create table audit(seq integer primary key, at_ms int not null, kind text not null, grade_id text, rev int,
    commitment blob not null, ink blob, erased_by int, prev blob not null, hash blob not null);
create index audit_of_grade on audit(grade_id, rev);
create table audit_key(pupil text primary key, key blob not null);
create table graded_ink(ink text primary key, strokes text not null, pieces text not null);
create table erased(mark blob primary key, at_ms int not null);
"""


@migrations()
def audited(db: Database) -> None:
    """The chain that proves grades (see `audit`); grades that are there are taken into it as they are."""
    for statement in _AUDIT.split(";\n"):
        if statement.strip():
            db.conn.execute(statement)
    audit.adopt(db)


@migrations()
def keyed(db: Database) -> None:
    """Changes of answer keys (see `keys`): each a row with the whole key, none ever changed; `undoes` is a version."""
    db.conn.execute(
        "create table key_change(id integer primary key, sheet text not null, sheet_rev int not null,"
        " field text not null, version int not null, key text not null, who text not null, at_ms int not null,"
        " undoes int)"
    )
    db.conn.execute("create index key_change_field on key_change(sheet, sheet_rev, field)")


_DECISIONS: Final = """
create table decision(id text primary key, at_ms int not null, who text not null, kind text not null,
    lesson text not null, field text not null, value text, points real, undone_ms int);
create index decision_lesson on decision(lesson, at_ms);
create table decision_member(decision text not null, pupil text not null, ink text not null, before text not null,
    after text not null, primary key(decision, pupil));
create table label(id integer primary key, decision text not null, pupil text not null, ink text not null,
    kind text not null, label text not null, consent int not null, packed blob, at_ms int not null);
create index label_ink on label(ink, pupil);
create index grade_open on grade(lesson, state);
"""


@migrations()
def decided(db: Database) -> None:
    """What teachers decided, what it was before, and what they said of whose ink (see `decisions`, `labels`)."""
    for statement in _DECISIONS.split(";\n"):
        if statement.strip():
            db.conn.execute(statement)

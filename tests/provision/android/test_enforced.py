"""What is read of any ``dumpsys user``: user 0's effective restrictions and nothing else of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from profiles.schema import Profile
from provision.android import enforced
from provision.model import Identity
from provision.setting import Answer

PHONE = Identity("android", "S1", "google", "Pixel", "13", 33)
KEYS = st.from_regex(r"(no|disallow)_[a-z0-9_]{2,30}", fullmatch=True)
SETS = st.one_of(st.just("none"), st.just("null"), st.sets(KEYS, min_size=1, max_size=6))
HEADINGS = ["Restrictions:", "Device policy global restrictions:", "Device policy local restrictions:"]
OTHER = st.sampled_from(["State: RUNNING_UNLOCKED", "Created: <unknown>", "Last logged in: +3s", "Flags: 3091 (ADMIN)"])


def block(heading: str, found: set[str] | str) -> list[str]:
    keys = [found] if isinstance(found, str) else sorted(found)
    return [f"    {heading}", *(f"      {key}" for key in keys)]


@st.composite
def dumps(draw: st.DrawFn) -> tuple[str, tuple[str, ...]]:
    """A dump with users in any order, lines in any order, and what is in force for user 0."""
    lines: list[str] = draw(st.lists(st.sampled_from(["Current user: 0", "Users:"]), max_size=2))
    wanted: set[str] | str = "none"
    for user in draw(st.permutations([0, 10, 11])):
        lines.append(f"  UserInfo{{{user}:Any name:c13}} serialNo={user}")
        effective = draw(SETS)
        parts = [block(heading, draw(SETS)) for heading in HEADINGS]
        parts += [block("Effective restrictions:", effective), *([f"    {line}"] for line in draw(st.lists(OTHER)))]
        for part in draw(st.permutations(parts)):
            lines += part
        if user == 0:
            wanted = effective
    end = draw(st.sampled_from(["\n", "\r\n"]))
    keys = () if isinstance(wanted, str) else tuple(sorted(wanted))
    return end.join([*lines, "", "  Guest restrictions:", "    no_sms", ""]), keys


@hypothesis_settings(max_examples=150)
@given(dumps())
def test_the_effective_restrictions_of_the_first_user_are_read(dump: tuple[str, tuple[str, ...]]) -> None:
    said, keys = dump

    assert enforced.parse({"users": Answer(said)}, Profile(profile="x"), PHONE).keys == keys


@hypothesis_settings(max_examples=100)
@given(dumps(), st.data())
def test_a_dump_that_was_cut_off_claims_no_rule_that_is_not_there(
    dump: tuple[str, tuple[str, ...]], data: st.DataObject
) -> None:
    said, keys = dump
    cut = said[: data.draw(st.integers(0, len(said)))]
    lines = cut.rpartition("\n")[0]  # a line that was cut in the middle may look like another key

    found = enforced.parse({"users": Answer(lines)}, Profile(profile="x"), PHONE).keys

    assert found is None or set(found) <= set(keys)

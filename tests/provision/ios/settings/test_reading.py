"""How answers are kept: whatever a device says can be kept, and what tells of a SIM's subscriber is not."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from provision.ios.reading import answer, refusal, value

_SAID = st.recursive(
    st.one_of(st.text(max_size=20), st.integers(-(2**63), 2**64 - 1), st.booleans(), st.binary(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)


@hypothesis_settings(max_examples=100)
@given(said=_SAID)
def test_whatever_a_device_says_can_be_kept(said: Any) -> None:
    assert type(value(answer(said))) is type(said)


def test_what_is_whole_comes_back_whole() -> None:
    said = {"a": [1, True, "Tiếng Việt 你好", b"\0", {"b": -1}]}
    assert value(answer(said)) == said
    assert value(answer("a\x1bb\ud800")) == "a\ufffdb\ufffd"


def test_the_subscriber_is_left_out() -> None:
    said = {"bundles": [{"MCC": "452", "InternationalMobileSubscriberIdentity": "452046767358642"}]}
    assert value(answer(said)) == {"bundles": [{"MCC": "452"}]}


def test_a_refusal_and_nonsense_have_no_value() -> None:
    assert value(refusal("MissingValue")) is None
    assert value(None) is None

"""Topics carry opaque ids and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import BadId
from sync.topics import BoxTopics, health_filter, ledger_topic, up_filter

IDS = st.text("abcxyz019-", min_size=1, max_size=32)


@given(IDS, IDS, IDS)
def test_a_box_is_found_again_by_its_up_topic(district: str, school: str, box: str) -> None:
    topics = BoxTopics(district, school, box)
    assert BoxTopics.of_up(topics.up) == topics
    assert BoxTopics.of_health(topics.health) == topics
    assert BoxTopics.of_up(topics.health) is None


def test_topics_are_as_documented() -> None:
    topics = BoxTopics("d1", "s1", "b1")
    assert (topics.up, topics.down) == ("inkgate/v1/d1/s1/b1/up", "inkgate/v1/d1/s1/b1/down")
    assert topics.proof == "inkgate/v1/d1/s1/b1/proof"
    assert health_filter("d1") == "inkgate/v1/d1/+/+/health"
    assert (topics.health, topics.ink) == ("inkgate/v1/d1/s1/b1/health", "inkgate/v1/d1/s1/b1/ink")
    assert topics.ledger == ledger_topic("d1") == "inkgate/v1/d1/ledger"
    assert up_filter("d1", shared=False) == "inkgate/v1/d1/+/+/up"
    assert up_filter("d1", shared=True) == "$share/district/inkgate/v1/d1/+/+/up"


@pytest.mark.parametrize("bad", ["", "a" * 33, "Class 3b", "张伟", "a/b", "+", "#", "a.b", "a\n", "$SYS"])
def test_what_could_be_a_name_or_a_wildcard_is_no_id_and_is_not_repeated(bad: str) -> None:
    with pytest.raises(BadId) as caught:
        BoxTopics("d1", "s1", bad)
    assert not bad or bad not in str(caught.value).split()
    assert "box id" in str(caught.value)


@given(st.text(max_size=60))
def test_any_other_topic_is_nobodys(topic: str) -> None:
    assert BoxTopics.of_up(topic) is None


@pytest.mark.parametrize(
    "topic",
    ["inkgate/v1/d/s/b/down", "inkgate/v2/d/s/b/up", "inkgate/v1/d/s/B/up", "inkgate/v1/d/s/up", "x/inkgate/v1/d/s/up"],
)
def test_a_topic_that_is_nearly_right_is_nobodys(topic: str) -> None:
    assert BoxTopics.of_up(topic) is None

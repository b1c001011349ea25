import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dashboard.access import (
    COOKIE_MS,
    FIRST_WAIT_MS,
    OF_ALL_MS,
    TRIES,
    TRIES_OF_ALL,
    Access,
    LetIn,
    Locked,
    Wrong,
    new_pin,
)


class Clock:
    now_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def access(clock: Clock) -> Access:
    return Access("246810", ("localhost",), clock)


def _let_in(access: Access, client: str = "a") -> str:
    verdict = access.try_pin(client, "246810")
    assert isinstance(verdict, LetIn)
    return verdict.cookie


def test_the_pin_lets_in_for_a_school_day(access: Access, clock: Clock) -> None:
    cookie = _let_in(access)
    assert access.role(cookie) == "teacher"
    clock.now_ms += COOKIE_MS
    assert access.role(cookie) is None


def test_a_client_that_guesses_waits_longer_each_time_and_then_may_try_again(access: Access, clock: Clock) -> None:
    verdicts = [access.try_pin("a", "000000") for _ in range(TRIES)]
    assert verdicts[:-1] == [Wrong(n) for n in range(TRIES - 1, 0, -1)]
    assert verdicts[-1] == Locked(FIRST_WAIT_MS // 1000)
    assert isinstance(access.try_pin("a", "246810"), Locked)
    clock.now_ms += FIRST_WAIT_MS
    assert access.try_pin("a", "000000") == Locked(2 * FIRST_WAIT_MS // 1000)
    clock.now_ms += 2 * FIRST_WAIT_MS
    _let_in(access)
    assert access.try_pin("a", "000000") == Wrong(TRIES - 1)


def test_a_guessing_client_does_not_lock_another_out(access: Access) -> None:
    for _ in range(TRIES):
        access.try_pin("a", "000000")
    _let_in(access, "b")


def test_a_whole_class_that_guesses_is_braked_as_one_and_who_is_in_stays_in(access: Access, clock: Clock) -> None:
    cookie = _let_in(access)
    for n in range(TRIES_OF_ALL):
        access.try_pin(f"phone-{n}", "000000")
    assert isinstance(access.try_pin("one-more", "246810"), Locked)
    assert access.role(cookie) == "teacher"
    clock.now_ms += OF_ALL_MS
    _let_in(access, "one-more")


def test_guessing_clients_are_not_kept_without_end(access: Access, clock: Clock) -> None:
    for n in range(5_000):
        clock.now_ms += OF_ALL_MS
        access.try_pin(f"phone-{n}", "000000")
    assert len(access._clients) <= 1_000


@given(st.text(max_size=200))
def test_no_text_that_was_not_signed_is_a_cookie(text: str) -> None:
    access = Access("246810", (), lambda: 0)
    assert access.role(text) is None
    assert access.role(f"teacher.{text}") is None


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_changed_cookie_is_refused(access: Access, part: int) -> None:
    parts = _let_in(access).split(".")
    parts[part] = parts[part][:-1] + ("0" if parts[part][-1] != "0" else "1")
    assert access.role(".".join(parts)) is None


def test_a_cookie_of_another_box_is_refused(access: Access, clock: Clock) -> None:
    assert Access("246810", (), clock).role(_let_in(access)) is None


def test_a_pin_has_six_digits() -> None:
    assert all(len(pin) == 6 and pin.isdigit() for pin in (new_pin() for _ in range(100)))

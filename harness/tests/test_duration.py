"""Durations: what is one, what is none, and what it is in seconds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from harness.scenario.duration import PATTERN, Duration

SECONDS = {"ms": 0.001, "s": 1, "m": 60}


STEADY = settings(database=None, deadline=None, derandomize=True)


class Wait(BaseModel):
    within: Duration


@STEADY
@given(number=st.integers(0, 10**6), unit=st.sampled_from(sorted(SECONDS)))
def test_a_whole_number_of_a_unit_is_that_many_seconds(number: int, unit: str) -> None:
    assert Duration(f"{number}{unit}").seconds == pytest.approx(number * SECONDS[unit])


@STEADY
@given(whole=st.integers(0, 999), tenths=st.integers(0, 9))
def test_a_fraction_is_allowed(whole: int, tenths: int) -> None:
    assert Duration(f"{whole}.{tenths}s").seconds == pytest.approx(whole + tenths / 10)


@STEADY
@given(st.text() | st.from_regex(PATTERN))
def test_a_text_is_a_duration_of_zero_or_more_seconds_or_refused(text: str) -> None:
    try:
        duration = Duration(text)
    except ValueError:
        return
    assert duration.seconds >= 0
    assert duration == text == text.strip()
    assert text.isascii()


@pytest.mark.parametrize(
    "text", ["", "30", "s", "-1s", "1h", "1 s", " 1s", "1s ", "1s\n", "1.s", ".5s", "1e3s", "٣s", 30, None]
)
def test_what_is_no_duration_is_refused_with_the_form_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration: write a number with ms, s or m, such as 30s"):
        Duration(text)


def test_a_duration_is_shown_as_it_was_written() -> None:
    assert str(Duration("1.50s")) == "1.50s"


def test_a_model_reads_and_writes_durations() -> None:
    read = Wait.model_validate({"within": "2m"})
    assert (read.within.seconds, read.model_dump_json()) == (120, '{"within":"2m"}')
    with pytest.raises(ValidationError, match="30 is no duration"):
        Wait.model_validate({"within": 30})


def test_editors_are_told_the_form() -> None:
    schema = TypeAdapter(Duration).json_schema()
    assert (schema["type"], schema["pattern"]) == ("string", PATTERN)

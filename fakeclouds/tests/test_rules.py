"""Which calls a rule takes, how often, and which rules are refused when they are added."""

import threading

import pytest

from fakeclouds.rules import Decision, Delay, Hide, Ignore, Refuse, Rule, Rules
from fakeclouds.tests.parrot import Parrot

THROTTLED = Refuse(code="Throttling", status=503)


@pytest.fixture
def rules() -> Rules:
    return Rules(Parrot())


def decide(rules: Rules, operation: str = "shelf:Put", caller: str = "ann", resource: str = "r-1") -> Decision:
    return rules.decide(operation=operation, caller=caller, resource=resource)


def fired_pattern(rules: Rules, calls: int) -> list[bool]:
    return [decide(rules).action is not None for _ in range(calls)]


@pytest.mark.parametrize(
    ("rule", "pattern"),
    [
        (Rule(operation="shelf:*", action=THROTTLED), [True, True, True, True]),
        (Rule(operation="shelf:*", action=THROTTLED, nth=2), [False, True, False, False]),
        (Rule(operation="shelf:*", action=THROTTLED, times=2), [True, True, False, False]),
        (Rule(operation="shelf:*", action=THROTTLED, nth=2, times=2), [False, True, True, False]),
    ],
)
def test_limits_say_which_matches_fire(rules: Rules, rule: Rule, pattern: list[bool]) -> None:
    rules.add(rule)
    assert fired_pattern(rules, 4) == pattern


@pytest.mark.parametrize("other", [{"operation": "shelf:Create"}, {"caller": "bob"}, {"resource": "s-1"}])
def test_only_matching_calls_are_counted(rules: Rules, other: dict[str, str]) -> None:
    rule = rules.add(Rule(operation="shelf:P*", caller="a*", resource="r-*", nth=2, action=THROTTLED))
    decide(rules)
    assert decide(rules, **other) == Decision()
    assert decide(rules).action == THROTTLED
    assert (rules.matched(rule), rules.fired(rule)) == (2, 1)


def test_each_rule_counts_for_itself(rules: Rules) -> None:
    second = rules.add(Rule(operation="shelf:Put", nth=2, action=THROTTLED))
    other = Refuse(code="Other")
    first = rules.add(Rule(operation="shelf:Put", nth=1, action=other))
    assert [decide(rules).action for _ in range(3)] == [other, THROTTLED, None]
    assert (rules.matched(first), rules.matched(second)) == (3, 3)


def test_the_first_answer_wins_and_the_later_one_does_not_count_as_fired(rules: Rules) -> None:
    rules.add(Rule(operation="shelf:Put", action=THROTTLED))
    later = rules.add(Rule(operation="shelf:Put", action=Ignore()))
    assert decide(rules).action == THROTTLED
    assert rules.unfired() == (later,)


def test_delays_add_up_and_leave_the_answer_to_others(rules: Rules) -> None:
    rules.add(Rule(operation="shelf:Put", action=Delay(seconds=1.5)))
    rules.add(Rule(operation="shelf:Put", action=THROTTLED))
    rules.add(Rule(operation="shelf:Put", action=Delay(seconds=0.5)))
    decision = decide(rules)
    assert (decision.delay_s, decision.action) == (2.0, THROTTLED)


def test_a_decision_names_the_rules_that_made_it(rules: Rules) -> None:
    rules.add(Rule(operation="shelf:Put", caller="ann", nth=1, action=THROTTLED))
    injected = decide(rules).injected or ""
    assert "Throttling" in injected
    assert "shelf:Put caller=ann nth=1" in injected
    assert decide(rules).injected is None


def test_a_removed_rule_fires_no_more_and_is_still_reported_unfired(rules: Rules) -> None:
    rule = rules.add(Rule(operation="shelf:Put", action=THROTTLED))
    rules.remove(rule)
    assert decide(rules) == Decision()
    assert rules.unfired() == (rule,)


def test_clear_keeps_what_was_counted(rules: Rules) -> None:
    rule = rules.add(Rule(operation="shelf:Put", action=THROTTLED))
    decide(rules)
    rules.clear()
    assert decide(rules) == Decision()
    assert (rules.fired(rule), rules.unfired()) == (1, ())


def test_a_rule_that_is_not_in_force_cannot_be_removed(rules: Rules) -> None:
    with pytest.raises(KeyError, match="not in force"):
        rules.remove(Rule(operation="shelf:Put", action=THROTTLED))


def test_the_same_rule_cannot_be_added_twice_but_an_equal_one_can(rules: Rules) -> None:
    rule = rules.add(Rule(operation="shelf:Put", nth=1, action=THROTTLED))
    with pytest.raises(ValueError, match="added twice"):
        rules.add(rule)
    equal = rules.add(Rule(operation="shelf:Put", nth=1, action=THROTTLED))
    assert equal != rule


@pytest.mark.parametrize("glob", ["shelf:Puts", "SHELF:PUT", "shelf:put*"])
def test_an_unknown_operation_is_refused_with_the_nearest_name(rules: Rules, glob: str) -> None:
    with pytest.raises(ValueError, match="near it: shelf:Put"):
        rules.add(Rule(operation=glob, action=THROTTLED))


@pytest.mark.parametrize("glob", ["shelf:Create", "shelf:List", "*"])
def test_only_bare_acknowledgements_can_be_ignored(rules: Rules, glob: str) -> None:
    with pytest.raises(ValueError, match="more than an acknowledgement"):
        rules.add(Rule(operation=glob, action=Ignore()))
    assert rules.unfired() == ()


def test_only_reads_can_be_hidden(rules: Rules) -> None:
    with pytest.raises(ValueError, match="shelf:Put is no read"):
        rules.add(Rule(operation="shelf:*", action=Hide()))
    rules.add(Rule(operation="shelf:List", action=Hide()))


@pytest.mark.parametrize(("nth", "times"), [(0, None), (None, 0), (2, -1)])
def test_positions_count_from_one(nth: int | None, times: int | None) -> None:
    with pytest.raises(ValueError, match="count from 1"):
        Rule(operation="shelf:Put", action=THROTTLED, nth=nth, times=times)


@pytest.mark.parametrize("seconds", [-1.0, float("nan")])
def test_a_delay_that_cannot_be_kept_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="cannot be kept"):
        Delay(seconds=seconds)


@pytest.mark.parametrize("status", [200, 302, 600])
def test_a_refusal_has_an_error_status(status: int) -> None:
    with pytest.raises(ValueError, match="no error"):
        Refuse(code="Fine", status=status)


def test_counting_is_exact_under_many_threads(rules: Rules) -> None:
    rule = rules.add(Rule(operation="shelf:Put", times=700, action=THROTTLED))
    threads = [threading.Thread(target=fired_pattern, args=(rules, 100)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (rules.matched(rule), rules.fired(rule)) == (800, 700)

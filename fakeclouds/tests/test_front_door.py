"""The way of a call: who is let in, what rules do to it, what the journal says, and what a crash becomes."""

import asyncio
import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from fakeclouds.base import Call, CloudError
from fakeclouds.front_door import Answer, Callers, FrontDoor, PendingCall
from fakeclouds.http import Reply
from fakeclouds.rules import Delay, Hide, Ignore, Refuse, Rule
from fakeclouds.tests.parrot import Aviary, Parrot, json_reply, listener, request, served


def test_a_call_is_answered_and_journalled() -> None:
    aviary = Aviary()
    reply = aviary.ask("Put", "r-1")
    assert reply is not None
    assert reply.status == 200
    (call,) = aviary.calls
    assert (call.sequence, call.cloud, call.caller, call.name) == (1, "parrot", "ann", "shelf:Put")
    assert (call.resource, call.mutating, call.status, call.error_code) == ("r-1", True, 200, None)
    assert (call.implemented, call.injected, call.unread) == (True, None, ())
    assert call.parameters == {"resource": "r-1"}
    assert call.elapsed_s >= 0


def test_calls_are_numbered_in_the_order_of_their_answers() -> None:
    aviary = Aviary()
    for resource in ("a", "b", "c"):
        aviary.ask("Put", resource)
    assert [(call.sequence, call.resource) for call in aviary.calls] == [(1, "a"), (2, "b"), (3, "c")]


def test_an_unknown_key_is_refused_and_shown_by_four_characters_only() -> None:
    aviary = Aviary()
    reply = aviary.ask("Put", "r-1", key="AKIAVERYREALKEY")
    assert reply is not None
    assert (reply.status, json.loads(reply.body)["code"]) == (401, "AuthFailure")
    (call,) = aviary.calls
    assert (call.caller, call.status, call.error_code) == ("unknown (AKIA…)", 401, "AuthFailure")
    assert "VERY" not in reply.body.decode() + repr(call)
    assert aviary.parrot.shelf == []


def test_an_unsigned_call_is_refused() -> None:
    aviary = Aviary()
    asyncio.run(aviary.door.handle(request("/Put")))
    (call,) = aviary.calls
    assert (call.caller, call.error_code) == ("unknown", "AuthFailure")


def test_every_access_is_told_apart_and_a_stranger_has_none() -> None:
    callers = Callers()
    keys = [callers.issue(caller)[0] for caller in ("ann", "ann", "bob")]
    assert len(set(keys)) == 3
    assert [callers.caller_of(key) for key in keys] == ["ann", "ann", "bob"]
    assert callers.caller_of("") is None


def test_a_request_that_cannot_be_read_is_refused_and_journalled() -> None:
    aviary = Aviary()
    asyncio.run(aviary.door.handle(request("/")))
    (call,) = aviary.calls
    assert (call.service, call.operation, call.error_code) == ("", "GET /", "MissingAction")
    assert (call.mutating, call.implemented) == (False, True)


def test_an_unknown_operation_is_reported_as_unimplemented_by_name() -> None:
    aviary = Aviary()
    reply = aviary.ask("Levitate")
    assert reply is not None
    assert reply.status == 501
    assert "shelf:Levitate" in reply.body.decode()
    (call,) = aviary.calls
    assert (call.operation, call.implemented, call.error_code) == ("Levitate", False, "NotImplemented")
    assert aviary.door.crashes == ()


def test_a_gap_of_the_backend_is_reported_as_unimplemented_with_its_reason() -> None:
    def gap(call: PendingCall) -> Answer:
        raise NotImplementedError("only in colour")

    aviary = Aviary(List=gap)
    reply = aviary.ask("List")
    assert reply is not None
    assert (reply.status, "only in colour" in reply.body.decode()) == (501, True)
    assert [call.implemented for call in aviary.calls] == [False]


def test_a_refusal_by_design_is_no_crash() -> None:
    def refuse(call: PendingCall) -> Answer:
        raise CloudError("ShelfFull", "no room", 409)

    aviary = Aviary(Put=refuse)
    assert aviary.code("Put") == "ShelfFull"
    assert [(call.status, call.error_code) for call in aviary.calls] == [(409, "ShelfFull")]
    assert aviary.door.crashes == ()


def test_a_crash_of_the_backend_is_answered_journalled_and_kept_with_its_traceback() -> None:
    def break_down(call: PendingCall) -> Answer:
        raise KeyError("feather")

    aviary = Aviary(Put=break_down)
    reply = aviary.ask("Put", "r-1")
    assert reply is not None
    assert (reply.status, json.loads(reply.body)["code"]) == (500, "InternalFailure")
    assert [(call.status, call.error_code) for call in aviary.calls] == [(500, "InternalFailure")]
    (crash,) = aviary.door.crashes
    assert (crash.caller, crash.operation, crash.error) == ("ann", "shelf:Put", "KeyError: 'feather'")
    assert "break_down" in crash.traceback


def test_the_door_stays_open_after_a_crash() -> None:
    crashed: list[str] = []

    def break_once(call: PendingCall) -> Answer:
        if not crashed:
            crashed.append(call.resource)
            raise RuntimeError
        return Answer(reply=json_reply(200, {}))

    aviary = Aviary(Put=break_once)
    assert aviary.code("Put") == "InternalFailure"
    assert aviary.code("Put") is None


def test_a_crash_while_refusing_still_answers() -> None:
    class Mute(Parrot):
        def refuse(self, call: PendingCall | None, error: CloudError) -> Reply:
            raise ValueError("lost for words")

    aviary = Aviary()
    door = FrontDoor(Mute(), aviary.rules, aviary.calls.append, aviary.callers)
    reply = asyncio.run(door.handle(aviary.request("Levitate")))
    assert reply is not None
    assert reply.status == 500
    assert [crash.error for crash in door.crashes] == ["ValueError: lost for words"]


def test_a_crash_of_the_observer_is_kept_and_the_answer_stands() -> None:
    def observe(call: Call) -> None:
        raise OSError("disk full")

    aviary = Aviary()
    door = FrontDoor(aviary.parrot, aviary.rules, observe, aviary.callers)
    reply = asyncio.run(door.handle(aviary.request("Put")))
    assert reply is not None
    assert reply.status == 200
    assert [crash.error for crash in door.crashes] == ["OSError: disk full"]


def test_an_error_reply_without_a_code_is_journalled_by_its_status() -> None:
    aviary = Aviary(List=lambda call: Answer(reply=json_reply(418, {})))
    aviary.ask("List")
    assert [call.error_code for call in aviary.calls] == ["HTTP 418"]


def test_a_dropped_connection_is_journalled_with_status_zero() -> None:
    aviary = Aviary(List=lambda call: Answer(reply=None))
    assert aviary.ask("List") is None
    assert [(call.status, call.error_code) for call in aviary.calls] == [(0, None)]


def test_what_the_backend_did_not_read_reaches_the_journal() -> None:
    aviary = Aviary(List=lambda call: Answer(reply=json_reply(200, {}), unread=("Filter.1",)))
    aviary.ask("List")
    assert [call.unread for call in aviary.calls] == [("Filter.1",)]


def test_a_refusing_rule_answers_in_the_dialect_without_effect() -> None:
    aviary = Aviary()
    aviary.rules.add(Rule(operation="shelf:Put", nth=2, action=Refuse(code="Throttling", status=503)))
    assert [aviary.code("Put", name) for name in "abc"] == [None, "Throttling", None]
    assert aviary.parrot.shelf == ["a", "c"]
    injected = [call.injected for call in aviary.calls]
    assert (injected[0], injected[2]) == (None, None)
    assert "shelf:Put nth=2" in (injected[1] or "")


def test_an_ignored_mutation_is_acknowledged_without_effect() -> None:
    aviary = Aviary()
    aviary.rules.add(Rule(operation="shelf:Put", times=1, action=Ignore()))
    assert [aviary.code("Put", name) for name in "ab"] == [None, None]
    assert aviary.parrot.shelf == ["b"]
    assert [call.status for call in aviary.calls] == [200, 200]


def test_a_hidden_read_is_empty() -> None:
    aviary = Aviary()
    aviary.ask("Put", "r-1")
    aviary.rules.add(Rule(operation="shelf:List", action=Hide()))
    reply = aviary.ask("List")
    assert reply is not None
    assert json.loads(reply.body) == {"items": []}


def test_rules_never_see_a_call_that_was_not_let_in() -> None:
    aviary = Aviary()
    rule = aviary.rules.add(Rule(operation="shelf:Put", action=Refuse(code="Throttling")))
    aviary.ask("Put", key="AKIAVERYREALKEY")
    assert aviary.rules.matched(rule) == 0


def test_a_delayed_call_blocks_no_other_and_takes_effect_after_it() -> None:
    aviary = Aviary()
    aviary.rules.add(Rule(operation="shelf:Put", resource="slow", action=Delay(seconds=3600)))

    async def race() -> bool:
        slow = asyncio.create_task(aviary.door.handle(aviary.request("Put", "slow")))
        await asyncio.sleep(0)
        await aviary.door.handle(aviary.request("Put", "fast"))
        still_waiting = not slow.done()
        slow.cancel()
        return still_waiting

    assert asyncio.run(race())
    assert aviary.parrot.shelf == ["fast"]


def test_a_delay_ends_and_counts_in_the_time_of_the_call() -> None:
    aviary = Aviary()
    aviary.rules.add(Rule(operation="shelf:Put", action=Delay(seconds=0.05)))
    aviary.ask("Put", "late")
    assert aviary.parrot.shelf == ["late"]
    (call,) = aviary.calls
    assert call.elapsed_s >= 0.05
    assert "seconds=0.05" in (call.injected or "")


def test_the_backend_waits_for_whoever_holds_the_lock() -> None:
    aviary = Aviary()
    with aviary.door.lock:
        thread = threading.Thread(target=aviary.ask, args=("Put", "r-1"))
        thread.start()
        thread.join(timeout=0.1)
        assert aviary.parrot.shelf == []
    thread.join(timeout=10)
    assert aviary.parrot.shelf == ["r-1"]


def test_another_dialect_speaks_at_its_own_port() -> None:
    aviary = Aviary()
    other = Parrot()
    aviary.door.speak(other, port=81)
    query = f"key={aviary.key}&resource=r-1"
    asyncio.run(aviary.door.handle(request("/Put", query, port=81)))
    assert (aviary.parrot.shelf, other.shelf) == ([], ["r-1"])


@pytest.mark.parametrize("count", [200])
def test_two_hundred_calls_at_once_reach_the_backend_one_by_one(count: int) -> None:
    inside: list[str] = []
    busiest: list[int] = []

    def work(call: PendingCall) -> Answer:
        inside.append(call.resource)
        busiest.append(len(inside))
        inside.remove(call.resource)
        return Answer(reply=json_reply(200, {"resource": call.resource}))

    aviary = Aviary(Put=work)
    sock = listener()
    port = sock.getsockname()[1]

    def put(number: int) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", f"/Put?key={aviary.key}&resource={number}")
        body = json.loads(connection.getresponse().read())
        connection.close()
        return int(body["resource"])

    with served(aviary.door.handle, sock), ThreadPoolExecutor(count) as pool:
        assert list(pool.map(put, range(count))) == list(range(count))
    assert [call.sequence for call in aviary.calls] == list(range(1, count + 1))
    assert set(busiest) == {1}
    assert aviary.door.crashes == ()

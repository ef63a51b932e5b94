"""Which parameters count as read."""

from __future__ import annotations

import copy

from fakeclouds.aws.parameters import Recorded


def sent(**members: object) -> Recorded:
    parameters = Recorded(members)
    parameters.begin()
    return parameters


def test_what_nobody_asked_for_is_unread() -> None:
    parameters = sent(Name="web", Colour="red")
    assert parameters["Name"] == "web"
    assert parameters.unread() == ("Colour",)


def test_get_counts_as_reading() -> None:
    parameters = sent(Name="web")
    assert parameters.get("Name") == "web"
    assert parameters.unread() == ()


def test_going_through_all_members_reads_them_all() -> None:
    by_items, by_values = sent(Name="web", Colour="red"), sent(Name="web", Colour="red")
    assert dict(by_items.items()) == {"Name": "web", "Colour": "red"}
    assert sorted(by_values.values()) == ["red", "web"]
    assert by_items.unread() == by_values.unread() == ()


def test_a_member_of_a_structure_that_is_picked_apart_is_unread_by_its_path() -> None:
    parameters = sent(Listeners=[Recorded(Port=80, Protocol="TCP"), Recorded(Port=81)])
    assert [listener["Port"] for listener in parameters["Listeners"]] == [80, 81]
    assert parameters.unread() == ("Listeners.Protocol",)


def test_a_structure_that_is_handed_on_whole_counts_as_read() -> None:
    parameters = sent(Attributes=[Recorded(Key="a", Value="b")])
    assert parameters["Attributes"]
    assert parameters.unread() == ()


def test_what_moto_keeps_as_it_came_counts_as_read() -> None:
    ranges = Recorded(CidrIp="0.0.0.0/0", Description="why")
    parameters = sent(IpPermissions=[Recorded(IpRanges=[ranges])])
    assert parameters["IpPermissions"][0]["IpRanges"][0]["CidrIp"]
    assert parameters.unread() == ()


def test_what_the_handler_adds_was_never_sent() -> None:
    parameters = sent(Name="web")
    parameters["OwnerId"] = parameters["Name"]
    assert parameters.unread() == ()


def test_reading_before_the_watch_begins_does_not_count() -> None:
    parameters = Recorded(Name="web")
    assert parameters["Name"]
    parameters.begin()
    assert parameters.unread() == ("Name",)


def test_a_copy_is_an_ordinary_equal_mapping() -> None:
    parameters = sent(Name="web", Tags=[Recorded(Key="a")])
    assert copy.deepcopy(parameters) == {"Name": "web", "Tags": [{"Key": "a"}]}

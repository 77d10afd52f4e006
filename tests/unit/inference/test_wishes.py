"""Who gets which name."""

from __future__ import annotations

from etl.inference.wishes import Wish, settle


def names(*wishes: tuple[int, list[str]], reserved: frozenset[str] = frozenset()) -> list[str]:
    return settle([Wish(candidates, distance) for distance, candidates in wishes], reserved)


def test_the_first_candidates_where_they_differ() -> None:
    assert names((0, ["a", "x"]), (0, ["b", "y"])) == ["a", "b"]


def test_the_nearest_keeps_its_name() -> None:
    assert names((4, ["id", "owner_id"]), (0, ["id"]), (2, ["ID", "place_id"])) == ["owner_id", "id", "place_id"]


def test_all_that_are_equally_near_move() -> None:
    assert names((2, ["year", "born_year"]), (2, ["year", "died_year"])) == ["born_year", "died_year"]


def test_reserved_names_are_nobodys() -> None:
    assert names((0, ["seq", "x_seq"]), (0, ["id"]), reserved=frozenset({"seq", "id"})) == ["x_seq", "id_2"]


def test_what_stays_the_same_is_numbered_without_taking_anothers_name() -> None:
    assert names((0, ["a"]), (0, ["A"]), (0, ["a_2"]), (0, ["a"])) == ["a", "A_3", "a_2", "a_4"]

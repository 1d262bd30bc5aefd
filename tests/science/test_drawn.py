"""Who is taken where there are more people than a method needs."""

from __future__ import annotations

from lupom.science.drawn import drawn

IDS = [f"r{i}" for i in range(1000)]


def chosen(ids, most=100, seed=1):
    return {ids[i] for i in drawn(ids, most, seed)}


def test_all_are_taken_where_there_are_no_more():
    assert drawn(IDS, 1000, 1).tolist() == list(range(1000))
    assert drawn(IDS, None, 1).tolist() == list(range(1000))


def test_so_many_are_drawn_in_order_by_seed_and_id():
    assert drawn(IDS, 100, 1).tolist() == sorted(drawn(IDS, 100, 1))
    assert len(chosen(IDS)) == 100
    assert chosen(IDS) == chosen(IDS[::-1])
    assert chosen(IDS) != chosen(IDS, seed=2)


def test_who_is_added_takes_the_place_of_one_other_at_most():
    assert len(chosen(IDS) - chosen([*IDS, "another"])) <= 1

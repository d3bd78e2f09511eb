"""Items made ahead: the same, in order, never too many, and no thread stays behind."""

import threading
import time

import pytest

from haplorag.prefetch import prefetching


def list_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


@pytest.mark.parametrize("ahead", [1, 2, 50])
@pytest.mark.parametrize("number", [0, 1, 20])
def test_order_is_kept(ahead, number):
    with prefetching(iter(range(number)), ahead) as items:
        assert list(items) == list(range(number))
        # At the end it stays.
        assert list(items) == []
    assert not list_threads()


def test_nothing_in_the_place_of_an_item_is_no_end():
    with prefetching([None, 1, None]) as items:
        assert list(items) == [None, 1, None]


def test_items_are_made_in_one_other_thread():
    def make():
        for _ in range(5):
            yield threading.get_ident()

    with prefetching(make()) as items:
        (maker,) = set(items)
    assert maker != threading.get_ident()


def test_an_item_is_made_while_another_is_used():
    made = threading.Event()

    def make():
        yield 1
        made.set()
        yield 2

    with prefetching(make()) as items:
        assert next(items) == 1
        assert made.wait(timeout=30)


def test_an_exception_comes_where_the_item_would_have():
    def make():
        yield 1
        yield 2
        raise KeyError("of the maker")

    taken = []
    with pytest.raises(KeyError, match="of the maker"), prefetching(make(), 5) as items:
        for item in items:
            taken.append(item)
    assert taken == [1, 2]
    assert not list_threads()


@pytest.mark.parametrize("ahead", [1, 3])
def test_no_more_wait_than_are_asked_for(ahead):
    begun = 0

    def make():
        nonlocal begun
        for number in range(30):
            begun += 1
            yield number

    with prefetching(make(), ahead) as items:
        for number in items:
            time.sleep(0.002)
            # The one in use, and those that wait or are in the making.
            assert begun <= number + 1 + ahead
    assert begun == 30


@pytest.mark.parametrize("how", ["leaves", "fails", "never begins"])
def test_who_stops_early_leaves_no_thread(how):
    begun = []

    def make():
        for number in range(10**6):
            begun.append(number)
            yield number

    def use():
        with prefetching(make()) as items:
            for number in () if how == "never begins" else items:
                if number == 3 and how == "fails":
                    raise ValueError("of the user")
                if number == 3:
                    return

    if how == "fails":
        with pytest.raises(ValueError, match="of the user"):
            use()
    else:
        use()
    assert not list_threads()
    assert len(begun) <= 6

"""The queue of one item."""
import threading

from espnet_ros.nodes.common.slot import NewestSlot


def test_the_newest_wins_and_the_rest_is_counted():
    slot = NewestSlot()
    for item in 'abc':
        slot.put(item)
    assert slot.take(0.0) == 'c' and slot.take(0.0) is None
    assert slot.dropped == 2
    slot.put('d')
    slot.clear()
    slot.clear()
    assert slot.take(0.0) is None and slot.dropped == 3


def test_a_taker_that_waits_is_woken():
    slot = NewestSlot()
    threading.Timer(0.05, slot.put, ['late']).start()
    assert slot.take(30.0) == 'late'


def test_between_threads_every_item_is_taken_or_dropped_and_none_grows_older():
    slot, taken = NewestSlot(), []

    def take():
        while not taken or taken[-1] != 9999:
            item = slot.take(1.0)
            if item is not None:
                taken.append(item)
    taker = threading.Thread(target=take)
    taker.start()
    for item in range(10000):
        slot.put(item)
    taker.join(30.0)
    assert taken == sorted(taken) and taken[-1] == 9999
    assert len(taken) + slot.dropped == 10000

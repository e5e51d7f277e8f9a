"""Which camera's image comes next."""
import typing


class Turn(typing.NamedTuple):
    """When a camera may have its turn, in monotonic seconds.

    since: when it began to wait with an image, None without one; a newer image does not begin anew, so that a fast
    camera waits no less than a slow one. earliest: by its maximum rate.
    """

    since: typing.Optional[float]
    earliest: float
    priority: int = 1


def choose(turns, now):
    """Return (index, pause) for a list of Turns: the camera to serve now, else None and the seconds until one may be.

    The camera with the longest wait, multiplied by its priority, is first; at equal ones, the first in the list. Waits
    grow without bound, so that no priority starves another. pause: None when none of them waits.
    """
    waiting = [(index, turn) for index, turn in enumerate(turns) if turn.since is not None]
    ready = [(index, turn) for index, turn in waiting if turn.earliest <= now]
    if ready:
        return max(ready, key=lambda pair: pair[1].priority * (now - max(pair[1].since, pair[1].earliest)))[0], 0.0
    return None, min([turn.earliest - now for _, turn in waiting] or [None])

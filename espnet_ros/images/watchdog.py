"""Calls of functions that may take too long."""
import threading
import typing


class Watchdog:
    """Calls functions in threads of their own and waits for each only so long.

    A thread cannot be ended from outside: a function that is given up goes on in its own. most: how many such may be
    at work; beside these, nothing is called.
    """

    def __init__(self, most):
        self._most = most
        self._given_up = []

    def call(self, seconds, function, *arguments):
        """Return function(*arguments), or raise what it raises. Raises TimeoutError when it is given up."""
        self._given_up = [thread for thread in self._given_up if thread.is_alive()]
        if len(self._given_up) >= self._most:
            raise TimeoutError('{} others are still at work'.format(len(self._given_up)))
        result: typing.List[typing.Tuple[typing.Any, typing.Optional[BaseException]]] = []

        def run():
            try:
                result.append((function(*arguments), None))
            except BaseException as error:
                result.append((None, error))
        thread = threading.Thread(target=run, name='watched', daemon=True)
        thread.start()
        thread.join(seconds)
        if not result:
            self._given_up.append(thread)
            raise TimeoutError('it took longer than {:g} s'.format(seconds))
        value, error = result[0]
        if error is not None:
            raise error
        return value

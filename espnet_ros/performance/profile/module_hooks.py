"""Hooks around the run of each module of a network."""
import contextlib
import functools


@contextlib.contextmanager
def module_hooks(network, enter, leave):
    """Call enter(name) and leave(name) around every module's run; the network itself is called ''.

    Names are those of nn.Module.named_modules.
    """
    hooks = []
    try:
        for name, module in network.named_modules():
            hooks.append(module.register_forward_pre_hook(functools.partial(_call, enter, name)))
            hooks.append(module.register_forward_hook(functools.partial(_call, leave, name)))
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _call(function, name, *_):
    function(name)  # without its result, which would take the place of the module's

"""Python reads this at the start of every child of a chaos run, because the run puts this folder on PYTHONPATH.

Nothing of the product knows of it. `CHAOS_ORDERS` names a JSON file: in which functions a process may die, which
protection is taken away, and what is recorded. Functions are wrapped when their module is imported. A point is armed by
a file of its name in `arm/`; whoever comes by first takes the file away, writes a line to `died.jsonl`, and is gone by
SIGKILL.
"""

import functools
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import json
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

Change = Callable[[ModuleType], None]
"""What is done to a module right after it was made."""


class Hook(importlib.abc.MetaPathFinder):
    """Finds modules as everybody does, and changes the ones it was told of."""

    def __init__(self) -> None:
        self.changes: dict[str, list[Change]] = defaultdict(list)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module's own spec, with a loader that changes the module afterwards."""
        if fullname not in self.changes:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(fullname, path, target) if finder is not self and find is not None else None
            if spec is not None and spec.loader is not None:
                spec.loader = _Loader(spec.loader, self.changes[fullname])
                return spec  # type: ignore[no-any-return]  # a finder that is only known at run time
        return None


class _Loader(importlib.abc.Loader):
    def __init__(self, inner: importlib.abc.Loader, changes: list[Change]) -> None:
        self._inner, self._changes = inner, changes

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """As it would be."""
        return self._inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """As it would be, then the changes."""
        self._inner.exec_module(module)
        for change in self._changes:
            change(module)


def wrap(module: ModuleType, qualname: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put `make(function)` in the place of a function or method, class methods included."""
    *owners, name = qualname.split(".")
    owner: Any = module
    for part in owners:
        owner = getattr(owner, part)
    raw = vars(owner)[name]
    if isinstance(raw, classmethod):
        setattr(owner, name, classmethod(make(raw.__func__)))
    elif isinstance(raw, staticmethod):
        setattr(owner, name, staticmethod(make(raw.__func__)))
    else:
        setattr(owner, name, make(raw))


def _memory(batch: Any) -> bool:  # noqa: ANN401  a Batch of the product, whatever it has become
    return any(piece.how == "memory" for piece in getattr(batch, "closed", ()))


class Ripe:
    """When a point's moment has come: by name, over the arguments and the result of the function."""

    def __init__(self) -> None:
        self.memory_committed = False

    def always(self, args: Sequence[Any], result: Any) -> bool:  # noqa: ANN401  anything
        """At any call."""
        del args, result
        return True

    def has_ink(self, args: Sequence[Any], result: Any) -> bool:  # noqa: ANN401  anything
        """`commit(db, batch, …)` with live ink."""
        del result
        return bool(args[1].open or args[1].closed)

    def has_memory(self, args: Sequence[Any], result: Any) -> bool:  # noqa: ANN401  anything
        """A batch among the arguments holds ink out of a pen's memory."""
        del result
        found = any(map(_memory, args))
        self.memory_committed = self.memory_committed or found
        return found

    def after_commit(self, args: Sequence[Any], result: Any) -> bool:  # noqa: ANN401  anything
        """Ink out of a pen's memory was committed before."""
        del args, result
        return self.memory_committed

    def deleting(self, args: Sequence[Any], result: Any) -> bool:  # noqa: ANN401  anything
        """A method of a `Drain` that has asked its pen to forget a page."""
        del result
        return bool(args[0].state == "deleting")

    def said_yes(self, args: Sequence[Any], result: Any) -> bool:  # noqa: ANN401  anything
        """The function did something."""
        del args
        return bool(result)

    def took(self, args: Sequence[Any], result: Any) -> bool:  # noqa: ANN401  anything
        """A store of the district took new envelopes."""
        del args
        return bool(result.envelopes)


class Point:
    """One named place to die in."""

    def __init__(self, name: str, when: str, ripe: Callable[[Sequence[Any], Any], bool], folder: Path) -> None:
        self.name, self.when, self._ripe = name, when, ripe
        self._arm, self._died = folder / "arm" / name, folder / "died.jsonl"

    def pass_by(self, args: Sequence[Any], result: Any) -> None:  # noqa: ANN401  anything
        """Die here, if it is armed and the moment is ripe."""
        if not self._ripe(args, result):
            return
        try:
            self._arm.unlink()
        except FileNotFoundError:
            return
        line = json.dumps({"point": self.name, "pid": os.getpid(), "at_ms": time.time_ns() // 1_000_000}) + "\n"
        handle = os.open(self._died, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(handle, line.encode())
        os.close(handle)
        os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with this point before or after it."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def waits(*args: Any, **more: Any) -> Any:  # noqa: ANN401  anything
                if self.when == "before":
                    self.pass_by(args, None)
                result = await function(*args, **more)
                if self.when == "after":
                    self.pass_by(args, result)
                return result

            return waits

        @functools.wraps(function)
        def calls(*args: Any, **more: Any) -> Any:  # noqa: ANN401  anything
            if self.when == "before":
                self.pass_by(args, None)
            result = function(*args, **more)
            if self.when == "after":
                self.pass_by(args, result)
            return result

        return calls


def role_of(words: Sequence[str]) -> str:
    """Which process this is, by its command line."""
    if "gateway.demo.classroom" in words:
        return "classroom"
    if "gateway" not in words:
        return "other"
    after = list(words[words.index("gateway") + 1 :])
    if "district" in after:
        return "receiver"
    if "read" in after:
        return "reader"
    return "gateway" if "run" in after else "command"


def install(orders: Mapping[str, Any], role: str) -> None:
    """Wrap what the orders say for this role."""
    hook, folder, ripe = Hook(), Path(orders["folder"]), Ripe()
    for told in orders["points"]:
        if told["role"] == role:
            point = Point(told["name"], told["when"], getattr(ripe, told["ripe"]), folder)
            module, _, qualname = told["target"].partition(":")
            hook.changes[module].append(
                lambda made, qualname=qualname, point=point: wrap(made, qualname, point.around)  # type: ignore[misc]  # bound now
            )
    import chaos_changes  # type: ignore[import-not-found]  # noqa: PLC0415  beside this file: on the path of such a child only

    for module, change in chaos_changes.wanted(orders, role, folder):
        hook.changes[module].append(change)
    if hook.changes:
        sys.meta_path.insert(0, hook)


if os.environ.get("CHAOS_ORDERS"):
    install(json.loads(Path(os.environ["CHAOS_ORDERS"]).read_text(encoding="utf-8")), role_of(sys.orig_argv))

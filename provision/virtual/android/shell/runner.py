"""Running a parsed script: lists, pipelines, control flow, redirections, subshells."""

from __future__ import annotations

import contextlib
import copy
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from provision.virtual.android.files import Files
from provision.virtual.android.process import Disconnected, Process, decode, encode
from provision.virtual.android.shell import expand, patterns
from provision.virtual.android.shell.parser import parse
from provision.virtual.android.shell.pipe import BrokenPipe, Bytes, Collector, Pipe
from provision.virtual.android.shell.redirect import Streams, redirect
from provision.virtual.android.shell.tree import (
    AndOr,
    Case,
    Command,
    Compound,
    For,
    Function,
    If,
    Pipeline,
    Redirection,
    Sequence,
    Simple,
    While,
)

_BROKEN_PIPE = 141


class Leave(Exception):
    """``break``, ``continue``, ``return`` and ``exit`` on their way out."""

    def __init__(self, kind: str, number: int) -> None:
        super().__init__(kind, number)
        self.kind = kind
        self.number = number


class Shell:
    """One shell and what it remembers: variables, functions, options, the streams that it gives its commands."""

    def __init__(self, process: Process, builtins: dict[str, Callable[[Shell, Process], int]]) -> None:
        self.process = process
        self.builtins = builtins
        self.streams: Streams = {0: process.stdin, 1: process.out, 2: process.err}
        self.variables = dict(process.env)
        self.exported = set(process.env)
        self.read_only: set[str] = set()
        self.functions: dict[str, Command] = {}
        self.options: set[str] = set()
        self.traps: dict[str, str] = {}
        self.name = "/system/bin/sh"
        self.place = ""
        self.positional: list[str] = []
        self.cwd = process.cwd
        self.status = 0
        self._tested = 0

    # What expansion asks --------------------------------------------------------------------------------------

    @property
    def files(self) -> Files:
        return self.process.phone.files

    def lookup(self, name: str) -> str | None:
        if name.isdigit() and name != "0":
            return self.positional[int(name) - 1] if int(name) <= len(self.positional) else None
        special: dict[str, Callable[[], str]] = {
            "0": lambda: self.name,
            "?": lambda: str(self.status),
            "#": lambda: str(len(self.positional)),
            "$": lambda: str(4000 + id(self.process) // 64 % 20000),
            "!": lambda: "",
            "-": lambda: "".join(sorted(self.options)),
            "PWD": lambda: self.cwd,
        }
        return special[name]() if name in special else self.variables.get(name)

    def assign(self, name: str, value: str) -> None:
        if name in self.read_only:
            raise expand.ExpansionProblem(f"read-only: {name}")
        self.variables[name] = value
        if "a" in self.options:
            self.exported.add(name)

    def capture(self, body: Sequence) -> str:
        out = Collector()
        inner = self.subshell({**self.streams, 1: out})
        self.status = inner.to_the_end(body)
        return decode(bytes(out.data)).replace("\0", "")

    # Lists ----------------------------------------------------------------------------------------------------

    def subshell(self, streams: Streams) -> Shell:
        inner = copy.copy(self)
        inner.streams = dict(streams)
        inner.variables = dict(self.variables)
        inner.exported = set(self.exported)
        inner.functions = dict(self.functions)
        inner.options = set(self.options)
        inner.positional = list(self.positional)
        inner.traps = {}
        return inner

    def to_the_end(self, body: Sequence) -> int:
        """Run it as a shell of its own: up to its end, ``exit`` or a fatal mistake; then its EXIT trap."""
        try:
            self.run(body)
        except Leave as leave:
            if leave.kind in ("exit", "return"):
                self.status = leave.number
        except expand.ExpansionProblem as problem:
            self.complain(str(problem))
            self.status = 1
        return self.leave()

    def leave(self) -> int:
        """Run the EXIT trap, and say with what status the shell ends."""
        action, status = self.traps.pop("EXIT", ""), self.status
        if action:
            try:
                self.run(parse(action))
            except Leave as leave:
                return leave.number
        return status

    def run(self, body: Sequence) -> int:
        for item in body.items:
            if item.background:
                inner = self.subshell({**self.streams, 0: Bytes()})
                alone = Sequence((AndOr(item.first, item.rest),))
                threading.Thread(target=_quietly, args=(inner, alone), daemon=True).start()
                self.status = 0
            else:
                self._and_or(item)
        return self.status

    def tested(self, body: Sequence) -> int:
        """Run a condition: ``set -e`` does not apply."""
        self._tested += 1
        try:
            return self.run(body)
        finally:
            self._tested -= 1

    def _and_or(self, item: AndOr) -> None:
        pipelines = [("", item.first), *item.rest]
        last = len(pipelines) - 1
        for number, (operator, pipeline) in enumerate(pipelines):
            if operator and (operator == "&&") != (self.status == 0):
                continue
            forgiven = number < last or pipeline.negated
            self._tested += forgiven
            try:
                self._pipeline(pipeline)
            finally:
                self._tested -= forgiven
            if self.status and not forgiven and "e" in self.options and not self._tested:
                raise Leave("exit", self.status)

    def _pipeline(self, pipeline: Pipeline) -> None:
        if len(pipeline.commands) == 1:
            self.status = self.command(pipeline.commands[0])
        else:
            self.status = self._piped(pipeline.commands)
        if pipeline.negated:
            self.status = int(self.status == 0)

    def _piped(self, commands: tuple[Command, ...]) -> int:
        """Every command in a subshell and thread of its own, the last one here."""
        pipes = [Pipe() for _ in commands[1:]]
        sources: list[Pipe | None] = [None, *pipes]
        results: list[int | Disconnected] = [0] * len(commands)

        def run(number: int) -> None:
            results[number] = self._stage(commands[number], sources[number], (*pipes, None)[number])

        threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(len(pipes))]
        for thread in threads:
            thread.start()
        run(len(pipes))
        for thread in threads:
            thread.join()
        for number, result in enumerate(results):
            if isinstance(result, Disconnected) and (number == len(pipes) or not isinstance(result, BrokenPipe)):
                raise result
        statuses = [_BROKEN_PIPE if isinstance(result, Disconnected) else result for result in results]
        failed = [status for status in statuses if status]
        return failed[-1] if failed and "pipefail" in self.options else statuses[-1]

    def _stage(self, command: Command, source: Pipe | None, sink: Pipe | None) -> int | Disconnected:
        """One command of a pipe: its status, or what cut it off."""
        ends: Streams = {}
        if source:
            ends[0] = source
        if sink:
            ends[1] = sink
        try:
            return self.subshell({**self.streams, **ends}).to_the_end(_alone(command))
        except Disconnected as error:
            return error
        finally:
            if sink:
                sink.end_writing()
            if source:
                source.end_reading()

    # Commands -------------------------------------------------------------------------------------------------

    def command(self, command: Command) -> int:
        if isinstance(command, Function):
            self.functions[command.name] = command.body
            return 0
        if isinstance(command, Compound):
            return self._compound(command)
        return self._simple(command)

    def _compound(self, command: Compound) -> int:
        with ExitStack() as opened:
            streams = self._redirected(command.redirections, opened)
            if streams is None:
                return 1
            if command.subshell and isinstance(command.body, Sequence):
                return self.subshell(streams).to_the_end(command.body)
            with self._using(streams):
                return self._body(command.body)

    @contextlib.contextmanager
    def _using(self, streams: Streams) -> Iterator[None]:
        before, self.streams = self.streams, streams
        try:
            yield
        finally:
            self.streams = before

    def _body(self, body: Sequence | If | For | While | Case) -> int:
        if isinstance(body, Sequence):
            return self.run(body) if body.items else 0
        if isinstance(body, If):
            return self._if(body)
        if isinstance(body, For):
            return self._for(body)
        if isinstance(body, While):
            return self._while(body)
        return self._case(body)

    def _if(self, node: If) -> int:
        for condition, branch in node.branches:
            if self.tested(condition) == 0:
                return self.run(branch)
        return self.run(node.otherwise) if node.otherwise else 0

    def _for(self, node: For) -> int:
        values = self.positional if node.words is None else expand.fields(node.words, self)
        self.status = 0
        for value in list(values):
            self.assign(node.name, value)
            if not self._round(node.body):
                break
        return self.status

    def _while(self, node: While) -> int:
        status = 0
        while (self.tested(node.condition) == 0) != node.until:
            if not self._round(node.body):
                return self.status
            status = self.status
        return status

    def _round(self, body: Sequence) -> bool:
        """Go through the body of a loop once; whether to go on."""
        try:
            self.run(body)
        except Leave as leave:
            if leave.kind not in ("break", "continue"):
                raise
            self.status = 0
            if leave.number > 1:
                raise Leave(leave.kind, leave.number - 1) from None
            return leave.kind == "continue"
        return True

    def _case(self, node: Case) -> int:
        value = expand.text(node.word, self)
        for choices, body in node.branches:
            if any(patterns.matches(expand.pattern(choice, self), value) for choice in choices):
                return self.run(body) if body.items else 0
        return 0

    def _simple(self, node: Simple) -> int:
        self.status = 0 if not node.words else self.status
        arguments = expand.fields(node.words, self)
        values = [(name, expand.text(word, self)) for name, word in node.assignments]
        with ExitStack() as opened:
            streams = self._redirected(node.redirections, opened)
            if streams is None:
                return 1
            if not arguments:
                for name, value in values:
                    self.assign(name, value)
                return self.status
            if "x" in self.options:
                self.streams[2].write(encode(f"+ {' '.join(arguments)}\n"))  # type: ignore[union-attr]
            if arguments[0] == "exec" and len(arguments) == 1:
                self.streams = streams
                opened.pop_all()
                return 0
            return self._call(arguments, dict(values), streams)

    def _call(self, arguments: list[str], values: dict[str, str], streams: Streams) -> int:
        name = arguments[0]
        if name in self.functions:
            with self._using(streams):
                return self._function(self.functions[name], arguments[1:])
        process = self.child(arguments, values, streams)
        builtin = self.builtins.get(name)
        if builtin is None:
            return process.launch(process, None)

        def run(inner: Process) -> int:
            with self._using(streams), self._for_one_command(values):
                return builtin(self, inner)

        return process.launch(process, run)

    @contextlib.contextmanager
    def _for_one_command(self, values: dict[str, str]) -> Iterator[None]:
        """``IFS= read x``: what is assigned before a command of the shell's own lasts as long as that runs."""
        before = {name: self.variables.get(name) for name in values}
        self.variables |= values
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    self.variables.pop(name, None)
                else:
                    self.variables[name] = value

    def child(self, arguments: list[str], values: dict[str, str], streams: Streams) -> Process:
        """The process for a command: its arguments, its environment, its streams."""
        exported = {name: self.variables[name] for name in self.exported if name in self.variables}
        return self.process.but(
            argv=arguments,
            stdin=streams[0],
            out=streams[1],
            err=streams[2],
            env={**exported, **values},
            cwd=self.cwd,
        )

    def _function(self, body: Command, arguments: list[str]) -> int:
        before, self.positional = self.positional, arguments
        try:
            return self.command(body)
        except Leave as leave:
            if leave.kind != "return":
                raise
            return leave.number
        finally:
            self.positional = before

    def _redirected(self, redirections: tuple[Redirection, ...], opened: ExitStack) -> Streams | None:
        """The streams after the redirections, or None when one failed (and was complained about)."""
        streams = dict(self.streams)
        for redirection in redirections:
            try:
                redirect(redirection, expand.text(redirection.target, self), streams, self.process, self.cwd, opened)
            except OSError as error:
                doing = "open" if redirection.kind in ("<", "<>") else "create"
                self.complain(f"can't {doing} {error.filename}: {error.strerror}")
                return None
        return streams

    def complain(self, problem: str) -> None:
        """A message of the shell itself."""
        self.streams[2].write(encode(f"{self.name}: {self.place}{problem}\n"))  # type: ignore[union-attr]


def _alone(command: Command) -> Sequence:
    return Sequence((AndOr(Pipeline((command,))),))


def _quietly(shell: Shell, body: Sequence) -> None:
    with contextlib.suppress(Disconnected):
        shell.to_the_end(body)

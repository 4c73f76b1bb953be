"""``am`` and ``cmd activity`` (§3.4, §6): as much as setting up a phone needs."""

from __future__ import annotations

from provision.virtual.android.envelope import Args, app_process, behind_cmd, denied, user_argument
from provision.virtual.android.phone import Phone
from provision.virtual.android.process import Process

VALUES = {"-a", "-d", "-t", "-c", "-n", "-f", "-p", "--user", "--es", "--ez", "--ei", "--el", "--esn"}
TWO_VALUES = {"--es", "--ez", "--ei", "--el"}
CLEAR_TASK = 0x8000
"""The flag by which an activity that is there already is made anew."""
FORBIDDEN = {"android.intent.action.MASTER_CLEAR", "android.intent.action.FACTORY_RESET"}
FORBIDDEN |= {"android.intent.action.BOOT_COMPLETED", "android.intent.action.AIRPLANE_MODE"}


def am(process: Process) -> int:
    """A Java program of its own up to 7.1, a name for ``cmd activity`` after."""
    words = process.argv[1:]
    if process.phone.api <= 25:
        return app_process(process, "usage: am [subcommand] [options]\n", lambda: service(process, Args(words)))
    return behind_cmd(process, words[0] if words else "", lambda: service(process, Args(words)))


def service(process: Process, args: Args) -> int:
    """``cmd activity …``"""
    command = args.next()
    if command in {"start", "start-activity"}:
        return _start(process, args)
    if command == "broadcast":
        return _broadcast(process, args)
    if command in {"force-stop", "kill"}:
        while args.option() == "--user":
            user_argument(args)
        package = process.phone.packages.get(args.need())
        if package and command == "force-stop":
            package.state(0).stopped = True
            process.phone.on_stop(package.name)
        return 0
    if command == "get-current-user":
        process.say("0\n")
        return 0
    process.say(f"Unknown command: {command}\n")
    return 255


def _intent(args: Args) -> dict[str, str]:
    found: dict[str, str] = {}
    while (word := args.next()) is not None:
        if word in VALUES:
            found[word] = args.need()
            if word in TWO_VALUES:
                args.need()
        elif not word.startswith("-"):
            found["-n" if "/" in word and ":" not in word else "-a"] = word
    return found


def _shown(intent: dict[str, str]) -> str:
    names = {"-a": "act", "-d": "dat", "-c": "cat", "-p": "pkg", "-n": "cmp"}
    return "Intent { " + " ".join(f"{names[key]}={value}" for key, value in intent.items() if key in names) + " }"


def _flags(intent: dict[str, str]) -> int:
    """Java's ``Integer.decode`` of ``-f``; 0 without one, or for what is none."""
    try:
        return int(intent.get("-f", "0"), 0)
    except ValueError:
        return 0


def _full(component: str) -> str:
    """``package/class`` with the whole name of the class."""
    package, _, name = component.partition("/")
    return f"{package}/{package + name if name.startswith('.') else name}"


def _there(phone: Phone, component: str) -> bool:
    package = phone.packages.installed(component.partition("/")[0], 0)
    if package is None:
        return False
    return package.activities is None or _full(component).partition("/")[2] in package.activities


def _start(process: Process, args: Args) -> int:
    intent = _intent(args)
    process.say(f"Starting: {_shown(intent)}\n")
    component = intent.get("-n", "")
    if component and not _there(process.phone, component):
        process.complain(f"Error type 3\nError: Activity class {{{_full(component)}}} does not exist.\n")
        return 1
    if not component and not intent.get("-a", "").startswith(("android.settings.", "android.intent.action.")):
        process.complain(f"Error: Activity not started, unable to resolve {_shown(intent)}\n")
        return 1
    if component:
        package_of = process.phone.packages.get(component.partition("/")[0])
        assert package_of is not None
        package_of.state(0).stopped = False
        process.phone.on_start(_full(component), bool(_flags(intent) & CLEAR_TASK))
    return 0


def _broadcast(process: Process, args: Args) -> int:
    intent = _intent(args)
    action = intent.get("-a", "")
    if action in FORBIDDEN:
        raise denied(f"Permission Denial: not allowed to send broadcast {action} from pid=4242, uid=2000")
    process.say(f"Broadcasting: {_shown(intent)}\nBroadcast completed: result=0\n")
    return 0

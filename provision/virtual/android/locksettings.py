"""``locksettings`` (§2.3), from 8.0 on."""

from __future__ import annotations

from provision.virtual.android.envelope import Args, behind_cmd, user_argument
from provision.virtual.android.phone import Phone
from provision.virtual.android.process import Process

TRIES = 5
"""Wrong answers before the phone makes one wait."""
SHORTEST = 4
KINDS = {"set-pin": ("pin", "Pin"), "set-password": ("password", "Password"), "set-pattern": ("pattern", "Pattern")}
SINCE = {"verify": 27, "get-disabled": 27}
COMMANDS = {*KINDS, "clear", "set-disabled", "get-disabled", "verify"}


def locksettings(process: Process) -> int:
    words = process.argv[1:]
    return behind_cmd(process, words[0] if words else "", lambda: service(process, Args(words)))


def service(process: Process, args: Args) -> int:
    """``cmd lock_settings …``"""
    command = args.next()
    if command not in COMMANDS or SINCE.get(command, 26) > process.phone.api:
        process.say(f"Unknown command: {command}\n" if command else "lockSettings service commands:\n")
        return 255 if command else 0
    old = ""
    while (option := args.option()) is not None:
        if option == "--old":
            old = args.need()
        elif option == "--user":
            user_argument(args)
        else:
            process.complain(f"Unknown option: {option}\n")
            return 255
    if command == "get-disabled":
        process.say(f"{str(process.phone.credential.disabled).lower()}\n")
        return 0
    if problem := _check(process.phone, old):
        process.say(f"{problem}\n")
        return 255
    return _run(process, command, args.next() or "")


def _check(phone: Phone, old: str) -> str | None:
    """Why the credential that came along does not open this phone; None when it does."""
    lock = phone.credential
    if lock.kind == "none":
        return "Old password provided but user has no password" if old else None
    if lock.tries >= TRIES:
        return "Request throttled"
    if old != lock.value:
        lock.tries += 1
        return f"Old password '{old}' didn't match"
    lock.tries = 0
    return None


def _run(process: Process, command: str, value: str) -> int:
    lock = process.phone.credential
    if command == "verify":
        process.say("Lock credential verified successfully\n")
    elif command == "clear":
        lock.kind, lock.value = "none", None
        process.say("Lock credential cleared\n")
    elif command == "set-disabled":
        lock.disabled = value == "true"
        process.say(f"Lock screen disabled set to {str(lock.disabled).lower()}\n")
    else:
        kind, word = KINDS[command]
        if len(value) < SHORTEST or (kind == "pin" and not value.isdecimal()):
            process.say(f"New credential doesn't satisfy admin policies: {word} too short\n")  # [inferred] its end
            return 255
        lock.kind, lock.value, lock.disabled = kind, value, False
        process.say(f"{word} set to '{value}'\n")
    return 0

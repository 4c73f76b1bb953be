"""The small programs of the phone (toybox), as far as provisioning scripts use them.

That Android 7 has no ``sha256sum`` (only ``md5sum`` and ``sha1sum``) is inferred, not read in its sources.
"""

from __future__ import annotations

from provision.virtual.android.process import Program
from provision.virtual.android.toybox import change, find, others, sed, text, tree
from provision.virtual.android.toybox.common import guarded

_SHA256_API = 26

_APPLETS: dict[str, Program] = {
    "basename": others.basename,
    "cat": text.cat,
    "chmod": change.chmod,
    "cp": change.cp,
    "cut": text.cut,
    "date": others.date,
    "df": tree.df,
    "dirname": others.dirname,
    "du": tree.du,
    "echo": others.echo,
    "egrep": text.grep,
    "env": others.env,
    "find": find.find,
    "grep": text.grep,
    "head": text.head,
    "id": others.id_,
    "ln": change.ln,
    "ls": tree.ls,
    "md5sum": text.check_sum("md5"),
    "mkdir": change.mkdir,
    "mktemp": change.mktemp,
    "mv": change.mv,
    "printf": others.printf,
    "readlink": others.readlink,
    "realpath": others.realpath,
    "rm": change.rm,
    "rmdir": change.rmdir,
    "sed": sed.sed,
    "seq": others.seq,
    "sha1sum": text.check_sum("sha1"),
    "sleep": others.sleep,
    "sort": text.sort,
    "stat": tree.stat,
    "sync": lambda _: 0,
    "tail": text.tail,
    "tee": others.tee,
    "touch": change.touch,
    "tr": text.tr,
    "true": lambda _: 0,
    "false": lambda _: 1,
    "uname": others.uname,
    "uniq": text.uniq,
    "wc": text.wc,
    "which": others.which,
    "whoami": others.whoami,
    "xargs": others.xargs,
}


def applets(api: int) -> dict[str, Program]:
    """The applets of that Android."""
    found = dict(_APPLETS)
    if api >= _SHA256_API:
        found["sha256sum"] = text.check_sum("sha256")
    return {name: guarded(applet) for name, applet in found.items()}

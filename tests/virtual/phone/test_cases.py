"""What the phone answers, word for word: every file in tests/data/virtual/phone is a list of cases with its facts.

A case: ``preset``, ``state`` (laid over the preset), ``apps`` (files of examples/apps installed before), ``before``
(commands), ``stdin`` (such a file; ``{size}`` is its length), ``shell`` (the command), then ``out``, ``err``, ``code``.
``out_has``/``err_has`` are parts instead of the
whole; stack frames are left out of ``err``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.virtual.phone import play

DATA = Path(__file__).parents[2] / "data" / "virtual" / "phone"
KEYS = {"name", "preset", "state", "apps", "before", "stdin", "shell", "out", "out_has", "err", "err_has", "code"}


def cases() -> list[Any]:
    found = []
    for file in sorted(DATA.glob("*.yaml")):
        tree = yaml.safe_load(file.read_text("utf-8"))
        assert set(tree) == {"facts", "cases"}, f"{file.name}: say which facts, and give cases"
        for case in tree["cases"]:
            assert set(case) <= KEYS, f"{file.name}: {case['name']}: {set(case) - KEYS}"
            found.append(pytest.param(case, id=f"{file.stem}: {case['name']}"))
    return found


def without_frames(text: str) -> str:
    return re.sub(r"\tat .*\n", "", text)


@pytest.mark.parametrize("case", cases())
def test_answer(case: dict[str, Any], tmp_path: Path) -> None:
    phone = play.make(tmp_path, case["preset"], case.get("state"))
    for app in case.get("apps", ()):
        answer = play.install(phone, (play.APPS / app).read_bytes(), "-t")
        assert answer.out == "Success\n", answer
    for line in case.get("before", ()):
        play.shell(phone, line)
    stdin = (play.APPS / case["stdin"]).read_bytes() if "stdin" in case else b""

    answer = play.shell(phone, case["shell"].replace("{size}", str(len(stdin))), stdin)

    err = without_frames(answer.err)
    if "out_has" in case:
        for part in [case["out_has"]] if isinstance(case["out_has"], str) else case["out_has"]:
            assert part in answer.out
    else:
        assert answer.out == case.get("out", "").replace("{size}", str(len(stdin)))
    if "err_has" in case:
        assert case["err_has"] in err
    else:
        assert err == case.get("err", "")
    assert answer.code == case.get("code", 0)

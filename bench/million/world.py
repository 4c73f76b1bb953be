"""What there is in the generated registry: schools, districts, devices, families and SIMs. All of it is invented.

Everything is computed from a number and the seed, so that nothing has to be kept, and comes out the same every time.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

from fleet.iccid import check_digit

DAYS = 300
"""So many days went by between the first unit and now."""

_MASK = (1 << 64) - 1
_STUDENTS_OF_SCHOOL = 300

_FAMILY = "Nguyễn Trần Lê Phạm Hoàng Huỳnh Phan Vũ Võ Đặng Bùi Đỗ Hồ Ngô Dương Lý Đinh Lâm Mai Trương"
_MIDDLE = "Văn Thị Hữu Đức Minh Ngọc Thanh Quang Gia Bảo Khánh Thùy Anh Kim Xuân Thu Hải Tuấn Công Mỹ"
_GIVEN = (
    "An Bình Châu Chi Cường Dũng Duy Giang Hà Hạnh Hiếu Hoa Hòa Hùng Hương Khang Khoa Lan Linh Long Mai Mạnh Nam Nga "
    "Nhi Nhung Phong Phúc Phương Quân Quyên Sơn Tâm Thảo Thắng Trang Trí Trinh Tú Vy Yến Đạt Đông Ân"
)

CATEGORIES = ("mồ côi do covid", "hộ nghèo", "cận nghèo", "hoàn cảnh khó khăn", "bình thường")
"""As the roster writes them, the most urgent first."""

_CATEGORY = (1, 24, 20, 15, 40)
_CONNECTIONS = ("wifi", "4g", "không có", "không rõ")
_CONNECTION = (35, 25, 30, 10)

MODELS: Sequence[tuple[str, str, str, int]] = (
    ("samsung", "SM-A105F", "11", 22),
    ("samsung", "SM-T505", "12", 16),
    ("Xiaomi", "M2006C3LG", "10", 12),
    ("Xiaomi", "21061119DG", "11", 9),
    ("OPPO", "CPH2185", "10", 8),
    ("vivo", "V2027", "11", 6),
    ("HUAWEI", "AGS2-L09", "8.0.0", 6),
    ("Lenovo", "TB-X306X", "10", 5),
    ("Google", "Pixel 4a", "13", 4),
    ("realme", "RMX3231", "11", 3),
    ("samsung", "SM-G960F", "10", 2),
    ("Apple", "iPhone10,4", "16.7.8", 4),
    ("Apple", "iPad7,11", "17.6.1", 3),
)
"""Maker, model, version of the system, and how many of a hundred units are such."""

PROFILES = ("primary-vn", "secondary-vn", "tablet-vn", "high-school-vn")


def mixed(number: int, salt: int) -> int:
    """64 bits that look random, of a number; the same for the same (the finaliser of splitmix64)."""
    x = (number * 0x9E3779B97F4A7C15 + salt * 0xD1B54A32D192ED03) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


def drawn(number: int, salt: int, weights: Sequence[int]) -> int:
    """Which of the ``weights`` a number falls to."""
    at = mixed(number, salt) % sum(weights)
    place = 0
    while at >= weights[place]:
        at -= weights[place]
        place += 1
    return place


@dataclass(frozen=True)
class World:
    """``units`` devices and as many SIMs, a fifth more students. ``years`` of loans lie before the last 300 days:
    with more of them the history is longer, and what is now is the same."""

    units: int
    years: int = 0
    today: date = field(default_factory=date.today)

    @property
    def students(self) -> int:
        return self.units * 6 // 5

    @cached_property
    def schools(self) -> tuple[str, ...]:
        return tuple(f"TH-{number:05}" for number in range(max(4, self.students // _STUDENTS_OF_SCHOOL)))

    @cached_property
    def areas(self) -> tuple[str, ...]:
        """Districts, the most urgent first."""
        return tuple(f"Huyện {number:03}" for number in range(max(3, min(150, len(self.schools) // 8))))

    @cached_property
    def stores(self) -> tuple[str, ...]:
        return tuple(f"KHO-{number:02}" for number in range(max(2, min(40, len(self.areas) // 3))))

    @cached_property
    def benches(self) -> tuple[str, ...]:
        return tuple(f"BAN-{number:02}" for number in range(max(2, min(20, len(self.areas) // 5))))

    @cached_property
    def batches(self) -> tuple[str, ...]:
        """What donors gave at once: each comes on one day."""
        return tuple(f"B-{number:04}" for number in range(DAYS))

    def area_of(self, place: int) -> str:
        """The district of the school (store, bench) with that number."""
        return self.areas[place % len(self.areas)]

    def school_of(self, student: int) -> int:
        """A few schools are far larger than most."""
        share = mixed(student, 11) / (_MASK + 1)
        return int(len(self.schools) * share**1.3)

    def model_of(self, unit: int) -> tuple[str, str, str]:
        maker, model, version, _ = MODELS[drawn(unit, 12, [one[3] for one in MODELS])]
        return maker, model, version

    def serial_of(self, unit: int) -> str:
        return f"R{mixed(unit, 13):016X}"[:13]

    def key_of(self, unit: int) -> str:
        """As the registry knows it."""
        platform = "ios" if self.model_of(unit)[0] == "Apple" else "android"
        return f"{platform}:{self.serial_of(unit)}"

    def iccid_of(self, unit: int) -> str:
        """Of the SIM with the number of the unit that it is put into, if it is put into one."""
        payload = f"898404{mixed(unit, 14) % 10**4:04}{unit:08}"
        return payload + check_digit(payload)

    def msisdn_of(self, unit: int) -> str:
        return f"+8498{unit:07}"

    def moment(self, day: int) -> str:
        """Of a day of all days (0 is the first): midnight, and the last one is today's."""
        last = DAYS * (self.years + 1)
        when = self.today - timedelta(days=last - day)
        return f"{when.isoformat()}T00:00:00.000Z"

    def write_roster(self, file: Path, rows: int | None = None) -> None:
        """A list of all students (or the first ``rows``), as a school office would send it: CSV, UTF-8 with BOM."""
        with file.open("w", encoding="utf-8-sig", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(_HEADER)
            writer.writerows(self.roster_rows(self.students if rows is None else rows))

    def roster_rows(self, rows: int) -> Iterator[Sequence[str]]:
        """One in five students has a brother or sister in the list: they have one phone."""
        for number in range(rows):
            home = number // 5 * 4 + min(number % 5, 3)
            school = self.school_of(home)
            grade = 1 + mixed(number, 15) % 12
            yield (
                str(number + 1),
                _name(number),
                _birthday(number, grade, self.today.year),
                f"0{mixed(number, 16) % 10**4:04}{number:07}",
                self.schools[school],
                self.area_of(school),
                f"{grade}{'ABCD'[mixed(number, 17) % 4]}",
                CATEGORIES[drawn(home, 18, _CATEGORY)],
                f"091{home:07}",
                _CONNECTIONS[drawn(home, 19, _CONNECTION)],
                f"GV-{school}-{grade}",
            )


_HEADER = (
    *("STT", "Họ và tên", "Ngày sinh", "Số định danh", "Mã trường", "Huyện", "Lớp", "Đối tượng"),
    *("Điện thoại", "Internet", "Giáo viên chủ nhiệm"),
)


def _name(number: int) -> str:
    bits = mixed(number, 20)
    return " ".join(words[(bits >> at * 16 & 0xFFFF) % len(words)] for at, words in enumerate(_NAMES))


_NAMES = tuple(words.split() for words in (_FAMILY, _MIDDLE, _GIVEN))


def _birthday(number: int, grade: int, year: int) -> str:
    born = date(year - 6 - grade, 1, 1) + timedelta(days=mixed(number, 21) % 365)
    return f"{born.day:02}/{born.month:02}/{born.year}"

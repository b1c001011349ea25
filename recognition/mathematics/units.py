"""Units of school quantities: what each measures, how many of the kind's smallest it is, and its other names.

Ratios are exact. There are no units here that differ by more than a factor (℉), or whose size depends (a month).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit under its first name."""

    name: str
    kind: str
    """What it measures; only units of one kind can be compared."""
    size: Fraction
    """How many of the smallest of its kind it is."""


# One unit a line: its size in the smallest of its kind, then its names; the first is how it is known.
_TABLE: Final[dict[str, str]] = {
    "length": """
        1 μm µm 微米
        1000 mm 毫米
        10000 cm 厘米 公分
        100000 dm 分米
        1000000 m 米
        1000000000 km 千米 公里
        """,
    "mass": """
        1 mg 毫克
        1000 g 克
        1000000 kg 千克 公斤
        500000 斤
        50000 两
        1000000000 t 吨
        """,
    "area": """
        1 mm² mm2 mm^2 平方毫米
        100 cm² cm2 cm^2 平方厘米
        10000 dm² dm2 dm^2 平方分米
        1000000 m² m2 m^2 平方米
        100000000 a 公亩
        10000000000 ha 公顷
        1000000000000 km² km2 km^2 平方千米 平方公里
        2000000000/3 亩
        """,
    "volume": """
        1 mm³ mm3 mm^3 立方毫米
        1000 cm³ cm3 cm^3 立方厘米
        1000 ml mL 毫升
        10000 cl cL
        100000 dl dL
        1000000 l L 升
        1000000 dm³ dm3 dm^3 立方分米
        100000000 hl hL
        1000000000 m³ m3 m^3 立方米
        """,
    "time": """
        1 ms 毫秒
        1000 s 秒 秒钟
        60000 min 分 分钟
        3600000 h 时 小时
        86400000 d 天 日
        604800000 周 星期
        """,
    "speed": """
        1 m/h 米/时 米/小时
        60 m/min 米/分 米/分钟
        1000 km/h 千米/时 千米/小时 公里/时 公里/小时
        3600 m/s 米/秒
        60000 km/min 千米/分 千米/分钟
        3600000 km/s 千米/秒
        """,
    "density": """
        1 kg/m³ kg/m3 kg/m^3 千克/立方米
        1000 g/cm³ g/cm3 g/cm^3 克/立方厘米
        """,
    "money": """
        1 分
        10 角 毛
        100 元 块 圆 ¥ ￥
        """,
    "euro": """
        1 ct cent
        100 € EUR Euro euro
        """,
    "dollar": """
        1 ¢
        100 $
        """,
    "angle": """
        1 ″ ''
        60 ′ '
        3600 ° 度
        """,
    "temperature": "1 ℃ °C 摄氏度",
    "voltage": "1 mV\n1000 V 伏 伏特\n1000000 kV",
    "current": "1 mA\n1000 A 安 安培",
    "power": "1 mW\n1000 W 瓦\n1000000 kW 千瓦",
    "energy": "1 J 焦\n1000 kJ 千焦\n3600000 kWh",
    "force": "1 N 牛\n1000 kN",
    "resistance": "1 Ω Ω 欧\n1000 kΩ kΩ",
}


def _read() -> Iterator[tuple[str, Unit]]:
    for kind, lines in _TABLE.items():
        for line in filter(None, map(str.strip, lines.splitlines())):
            size, *names = line.split()
            unit = Unit(names[0], kind, Fraction(size))
            for name in names:
                yield name, unit


_BY_NAME: Final[dict[str, list[Unit]]] = {}
for _name, _unit in _read():
    _BY_NAME.setdefault(_name, []).append(_unit)
NAMES: Final = frozenset(_BY_NAME)
"""Every name of every unit."""
_USUAL: Final = {"分": "money"}
"""What a name with two meanings means where nothing else tells."""


def unit_named(name: str, *, kind: str | None = None) -> Unit | None:
    """The unit of a name, or None. Where the name has two meanings (分), the one of this kind, if any."""
    found = _BY_NAME.get(name)
    if not found:
        return None
    return next((unit for unit in found if unit.kind == (kind or _USUAL.get(name))), found[0])


def kinds_of(name: str) -> frozenset[str]:
    """The kinds of quantity that a name may mean; empty where it is unknown."""
    return frozenset(unit.kind for unit in _BY_NAME.get(name, ()))

#!/usr/bin/env python3
"""Prints the example roster: invented people with names of many languages, the same ones each time.

python docs/examples/make_roster.py > docs/examples/tel141/roster.csv
"""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Iterator

PEOPLE = (
    # how many, surnames, first names; the Spanish-speaking part has two surnames
    (
        *(64, 2),
        "García Rodríguez Muñoz Núñez Peña Castañeda Gutiérrez Álvarez Ibáñez Zúñiga Ordóñez Vásquez Sánchez Chávez "
        "Córdova León Ríos Güell Yáñez Benavides De_la_Cruz Del_Águila",
        "José_Luis María_Fernanda Andrés Sofía Íñigo Lucía Martín Begoña Raúl Inés Óscar Ángela Tomás Noemí Jesús Belén",
    ),
    (
        *(24, 2),
        "Quispe Mamani Huamán Condori Ñahui Choque Yupanqui Apaza Ccori Huallpa Sulca Ticona Pumacahua Atau",
        "Inti Killa Sayri Illari Ñusta Urpi Amaru Wayra Qori Sumaq Yaku Chaska",
    ),
    (12, 1, "王 李 张 刘 陈 杨 黄 赵 吴 周", "小明 伟 芳 秀英 敏 静 丽 强 磊 洋"),
    (8, 1, "حداد الخوري النجار المصري العلي", "محمد فاطمة عمر ليلى يوسف مريم"),
    (6, 1, "Nguyễn Trần Lê Phạm Đặng", "Thị_Hương Văn_Đức Minh_Châu Quốc_Bảo Ánh"),
    (6, 1, "Иванова Смирнов Шевченко O'Brien Müller Åkesson Dvořák Łukasiewicz", "Юлия Пётр Siobhán Jürgen Åsa Zoë"),
)
GROUPS = ("0831", "0832", "0833")


def people() -> Iterator[tuple[str, str]]:
    """(surnames, first names), no two alike."""
    chance = random.Random(141)
    seen = set()
    for count, surnames, last, first in PEOPLE:
        made = 0
        while made < count:
            family = " ".join(chance.sample(last.split(), surnames)).replace("_", " ")
            person = (family, chance.choice(first.split()).replace("_", " "))
            if person not in seen:
                seen.add(person)
                made += 1
                yield person


def main() -> None:
    """Write the CSV: the first student is the demo account "student"."""
    everybody = list(people())
    random.Random(2026).shuffle(everybody)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["Código", "Apellidos y Nombres", "Correo", "Horario"])
    writer.writerow(["student", "Quispe Ñahui, José Andrés", "student@example.edu", GROUPS[0]])
    for number, (family, first) in enumerate(everybody[1:], start=1):
        code = str(20260000 + number)
        writer.writerow([code, f"{family}, {first}", f"a{code}@example.edu", GROUPS[number % len(GROUPS)]])


if __name__ == "__main__":
    main()

"""Tables of figures, each beside its goal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import ge, le

from benchmarks.stack import print_table


@dataclass(frozen=True)
class Goal:
    """The goal of a figure: a bound."""

    limit: float
    keeps: Callable[[float, float], bool] = le

    @property
    def sign(self) -> str:
        """Return the bound as text."""
        return "≤" if self.keeps is le else "≥"


def at_most(limit: float) -> Goal:
    """Return the goal of being this or less."""
    return Goal(limit)


def at_least(limit: float) -> Goal:
    """Return the goal of being this or more."""
    return Goal(limit, ge)


@dataclass(frozen=True)
class Figure:
    """One number; `note` says how it was measured."""

    name: str
    value: float
    unit: str = ""
    goal: Goal | None = None
    digits: int = 1
    note: str = ""

    @property
    def is_missed(self) -> bool:
        """Return True if the printed number misses its goal."""
        return self.goal is not None and not self.goal.keeps(round(self.value, self.digits), self.goal.limit)

    def row(self) -> list[str]:
        """Return the cells of the row."""
        goal = f"{self.goal.sign} {self.goal.limit:g}{self.unit}" if self.goal else ""
        verdict = "" if self.goal is None else "missed" if self.is_missed else "met"
        return [self.name, goal, f"{self.value:.{self.digits}f}{self.unit}", verdict, self.note]


@dataclass(frozen=True)
class Table:
    """The figures of one subject, or the reason why there are none."""

    title: str
    figures: Sequence[Figure] = field(default=())
    absent: str = ""

    def show(self) -> None:
        """Print it as Markdown."""
        if not self.figures:
            print(f"\n{self.title}\n\n{self.absent or 'The corpus holds nothing to measure this on.'}")
            return
        rows = [figure.row() for figure in self.figures]
        print_table(self.title, ["figure", "goal", "measured", "", "over"], rows)

    @property
    def missed(self) -> list[str]:
        """The figures whose goals are missed."""
        return [f"{self.title}: {figure.name}" for figure in self.figures if figure.is_missed]


def show_side_by_side(measured: Mapping[str, Sequence[Table]]) -> None:
    """Print the tables of several engines as one per subject: a row per figure, a column per engine.

    A figure that misses its goal has an asterisk.
    """
    for title in dict.fromkeys(table.title for tables in measured.values() for table in tables):
        of_engine = {
            engine: {
                figure.name: figure for table in tables if table.title == title for figure in table.figures
            }
            for engine, tables in measured.items()
        }
        print_table(f"{title} (* misses its goal)", ["figure", "goal", *measured], list(_rows(of_engine)))


def _rows(of_engine: Mapping[str, Mapping[str, Figure]]) -> Iterator[list[str]]:
    for name in dict.fromkeys(name for figures in of_engine.values() for name in figures):
        found = [figures.get(name) for figures in of_engine.values()]
        goal = next(figure.row()[1] for figure in found if figure is not None)
        yield [
            name,
            goal,
            *("" if figure is None else figure.row()[2] + "*" * figure.is_missed for figure in found),
        ]

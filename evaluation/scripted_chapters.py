"""Conversations about several subjects in sequence, composed of sentences with small talk between."""

from __future__ import annotations

import random

from speakr.domain.statements import NumberedLine

SUBJECTS = {
    "database": """The database backup failed again last night. We lost the replication log on the second server.
The disk of the primary database is almost full. Restoring a backup takes about four hours.
I would move the log files to another disk. The monitoring did not warn us about the disk.
We should test a restore every month. The replica lagged behind by ten minutes.
Without the replica we cannot restore quickly. The storage cluster needs another node.
Our alert rules for the server are too strict. Somebody has to clean the old log files.
The cluster was slow during the backup window. A second node would take half of the load.""",
    "money": """The marketing budget for next year is smaller. We spent most of the money on trade fairs.
The invoice of the agency came late. Advertising costs rose by ten percent.
I think the campaign pays for itself. The finance department wants a forecast.
The forecast depends on the sales numbers. Our margin went down because of the discounts.
We could cut the travel costs. The agency offered us a discount on the campaign.
Sales expect more revenue in summer. The invoice includes taxes and fees.
Finance will not approve another trade fair. The revenue forecast looks too good to me.""",
    "hiring": """We interviewed three candidates for the design position. The first candidate has a strong portfolio.
She would start as a senior designer. The salary she asks for is above our range.
Another candidate wants to work from home. The portfolio of the second one was thin.
We need a designer who can do research. I liked the interview with the senior candidate.
The recruiter sent two more resumes. The contract should have a trial period.
Let us invite the candidate for a second interview. Human resources prepares the contract.
The resume shows experience with research. The position has been open since spring.""",
    "office": """The new office has a garden and a kitchen. The move will take a whole weekend.
Everybody packs their own desk. The kitchen is smaller than the old one.
There are not enough parking spaces at the building. The elevator of the building is still broken.
The landlord promised to repair the elevator. Plants from the garden can stay inside.
The movers bring boxes for every desk. We get new chairs and lamps.
The parking garage closes at ten. The carpet smells a bit strange.
Our landlord wants a deposit for the keys. Boxes must be labeled with the floor.""",
}
SMALL_TALK = (
    "Yes, I agree with that.",
    "Okay.",
    "Good point.",
    "I am not sure.",
    "Right, that makes sense.",
    "What do you think?",
)


SMALL_TALK_SHARE = 0.25


def talk_about(
    subjects: list[str], sentences: int, seed: int, *, pause: float
) -> tuple[list[NumberedLine], list[int]]:
    """Return lines, and the indexes at which a new subject begins; the first sentence of a subject names it."""
    rng = random.Random(seed)  # noqa: S311 - a talk, no secret
    lines: list[NumberedLine] = []
    changes: list[int] = []
    time = 0.0
    for subject in subjects:
        if lines:
            changes.append(len(lines))
            time += pause
        pool = [
            part.strip() + "." for part in SUBJECTS[subject].replace("\n", " ").split(".") if part.strip()
        ]
        said: list[str] = []
        while len(said) < sentences:
            rng.shuffle(pool)
            said += pool
        for at in range(sentences):
            text = rng.choice(SMALL_TALK) if at and rng.random() < SMALL_TALK_SHARE else said[at]
            seconds = 2.5 + 5 * rng.random()
            lines.append(NumberedLine(rng.choice(("Alice", "Bob")), text, time, time + seconds))
            time += seconds + 0.8 * rng.random()
    return lines, changes

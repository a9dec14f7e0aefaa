"""Sentences, and questions that mean the same in other words and other languages."""

from __future__ import annotations

SENTENCES = (
    "We decided to move the product launch from May to the second week of June.",
    "The boiler in the basement broke down again and the repair will cost eleven hundred euros.",
    "Sarah is going to hire two more engineers before the end of the quarter.",
    "My grandmother grew tomatoes and beans behind the house every summer.",
    "The patient reported headaches and trouble sleeping since the new medication.",
    "Our biggest customer complained that deliveries arrive late almost every week.",
    "The council wants to turn the old railway station into a library.",
    "He forgot his umbrella on the bus and got completely soaked.",
    "Please send me the signed contract by Friday so that our lawyers can look at it.",
    "The new version crashes whenever somebody uploads a file larger than two gigabytes.",
    "They played cards until midnight and then walked home along the river.",
    "We should lower the price, because competitors offer the same thing for less.",
    "The school is closed on Monday because the teachers are on strike.",
    "I would like to book a table for four people near the window.",
    "The bees leave the hive earlier this year since the winter was so mild.",
    "Turnover went up by seven percent, but profit fell because of energy costs.",
)

PARAPHRASES = (
    ("when does the release take place now", 0),
    ("postponed introduction of what we sell", 0),
    ("what does fixing the heating cost", 1),
    ("something in the cellar is out of order", 1),
    ("plans to recruit staff", 2),
    ("growing vegetables in the garden as a child", 3),
    ("side effects of the drug", 4),
    ("insomnia and pain", 4),
    ("unhappy client about shipping delays", 5),
    ("what happens to the disused train building", 6),
    ("caught in the rain without protection", 7),
    ("deadline for the legal paperwork", 8),
    ("bug with big attachments", 9),
    ("an evening of games with friends", 10),
    ("why we must be cheaper than rivals", 11),
    ("pupils stay at home after the weekend", 12),
    ("restaurant reservation", 13),
    ("insects and warm weather", 14),
    ("revenue rose while earnings declined", 15),
    ("financial results", 15),
)
"""Each with the index of its sentence."""

IN_OTHER_LANGUAGES = (
    ("Wann kommt das Produkt auf den Markt?", 0),
    ("Was kostet die Reparatur der Heizung?", 1),
    ("neue Mitarbeiter einstellen", 2),
    ("Gemüse im Garten", 3),
    ("Nebenwirkungen des Medikaments", 4),
    ("verspätete Lieferungen", 5),
    ("Quand doit-on envoyer le contrat ?", 8),
    ("une panne avec de gros fichiers", 9),
    ("jouer aux cartes toute la soirée", 10),
    ("baisser les prix", 11),
    ("huelga de profesores", 12),
    ("reservar una mesa en un restaurante", 13),
    ("las abejas y el invierno", 14),
    ("los beneficios han bajado", 15),
)

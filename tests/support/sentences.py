"""Fifty texts of all lengths and many scripts, to embed."""

from __future__ import annotations

STORY = (
    "the lighthouse had stood on the cliff for a hundred and forty years and in winter the sea "
    "threw stones at its windows while in summer children climbed the hill to count the ships "
)

SENTENCES = (
    "",
    " ",
    "\n\t",
    "a",
    "A",
    "?",
    "...",
    "kiln",
    "Antidisestablishmentarianism",
    "x" * 120,  # longer than a WordPiece word may be
    "The potter fires the kiln.",
    "the potter fires the kiln",
    "THE POTTER FIRES THE KILN!",
    "  The potter   fires\nthe kiln.  ",
    "How do I reset my password?",
    "Steps to recover access to a locked account",
    "The cat sat on the mat.",
    "A feline rested upon the rug.",
    "Stock prices fell sharply on Tuesday after the central bank raised rates.",
    "def quicksort(items: list[int]) -> list[int]:\n    return sorted(items)",
    "SELECT name FROM users WHERE id = 42;",
    "https://example.org/a/b?c=d#e",
    "3.14159 26535 89793 23846",
    "$1,234.56 (−7%) ± 0.5 µm",
    "2026-11-22T00:04:09Z",
    "e=mc² and H₂O, ⅷ of ½",
    "naïve café, Škoda, Ångström, İstanbul",
    "nai\u0308ve cafe\u0301",  # the same accents as marks of their own
    "Где находится ближайшая библиотека?",
    "Πού είναι η πλησιέστερη βιβλιοθήκη;",
    "أين أقرب مكتبة؟",
    "איפה הספרייה הקרובה?",
    "सबसे नज़दीकी पुस्तकालय कहाँ है?",
    "ห้องสมุดที่ใกล้ที่สุดอยู่ที่ไหน",
    "最寄りの図書館はどこですか。",
    "最近的图书馆在哪里?",
    "가장 가까운 도서관은 어디에 있나요?",
    "👩‍🚀🚀🌍 to the moon 🌕!",
    "zero\u200bwidth, soft\u00adhyphen, no\u00a0break",
    "a [SEP] b [CLS] [MASK] c",
    "tab\tand\x0bvertical\x0ctab and bell\x07",
    "«Guillemets» – en — em … “quotes” ‘single’",
    STORY[:90],
    STORY,
    STORY * 2,
    (STORY * 3)[:400],
    STORY * 4,
    STORY * 7,
    STORY * 8,  # just around 256 tokens
    STORY * 20,  # far beyond
)

"""A card as a Markdown reader sees it: headings, code blocks, links, and text without its escapes."""

from __future__ import annotations

import re
from typing import NamedTuple

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


class Card(NamedTuple):
    """A card taken apart."""

    front: dict
    tokens: list[Token]

    @property
    def headings(self) -> list[str]:
        """All but the title, as they are typed."""
        pairs = zip(self.tokens, self.tokens[1:], strict=False)
        found = [(a.markup, b.content) for a, b in pairs if a.type == "heading_open"]
        return [f"{marks} {text}" for marks, text in found if marks != "#"]

    def blocks(self, *languages: str) -> list[str]:
        """The code blocks of these languages, in their order."""
        fences = [token for token in self.tokens if token.type == "fence"]
        return [token.content for token in fences if token.info in languages]

    @property
    def languages(self) -> set[str]:
        return {token.info for token in self.tokens if token.type == "fence"}

    @property
    def inline(self) -> list[Token]:
        """The parts of running text and of table cells."""
        return [child for token in self.tokens for child in token.children or ()]

    @property
    def text(self) -> str:
        """Running text, tables and code as a reader sees them."""
        parts = [c.content for c in self.inline]
        return "\n".join([*parts, *(t.content for t in self.tokens if t.type == "fence")])


def read_card(text: str) -> Card:
    """Take a card apart as the Hub does: front matter first, then Markdown."""
    found = re.match(r"---[\r\n]+([\s\S]*?)[\r\n]+---(\r\n|\n|$)", text)
    assert found, text[:200]
    return Card(yaml.safe_load(found[1]), READER.parse(text[found.end() :]))

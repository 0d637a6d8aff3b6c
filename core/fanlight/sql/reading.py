"""Reading a statement word by word: the cursor that every reader of our own grammar uses.

It knows tokens and keywords, and no statement.  What does not fit is raised as
`Unreadable`, a syntax error at the word where it was found.
"""

from __future__ import annotations

from .errors import Unreadable, syntax_error
from .lexer import Token, name_of, size, words


class Words:
    """A cursor over the meaningful tokens of a statement; it stands behind the first word."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = words(text)
        self.at = 1

    def __bool__(self) -> bool:
        return self.at < len(self.tokens)

    def next(self) -> Token:
        """Take the next token; a syntax error at the end."""
        if not self:
            raise self.unexpected()
        self.at += 1
        return self.tokens[self.at - 1]

    def peek(self, ahead: int = 0) -> str:
        """The next token as a keyword in upper case, or as it is written; "" at the end."""
        index = self.at + ahead
        if index >= len(self.tokens):
            return ""
        return self.tokens[index].upper or self.tokens[index].text

    def ahead(self, *keywords: str) -> bool:
        """Whether the next tokens are these keywords."""
        return all(self.peek(index) == keyword for index, keyword in enumerate(keywords))

    def take(self, *keywords: str) -> bool:
        """Take the next tokens if they are these keywords."""
        if self.ahead(*keywords):
            self.at += len(keywords)
            return True
        return False

    def name(self) -> str:
        """Take a name."""
        token = self.next()
        name = name_of(token)
        if name is None:
            raise self.unexpected(token)
        return name

    def unexpected(self, token: Token | None = None) -> Unreadable:
        """A syntax error at `token`, or at what comes next; its position is in bytes from the start of this text."""
        if token is None and self:
            token = self.tokens[self.at]
        near, start = (token.text, token.start) if token is not None else ("", len(self.text))
        return Unreadable(syntax_error(near, size(self.text[:start])))

    def end(self) -> None:
        """A syntax error unless nothing is left."""
        if self:
            raise self.unexpected()

    def rest(self) -> str:
        """The text of everything that is left."""
        return self.text[self.tokens[self.at].start :] if self else ""

    def expect(self, *keywords: str) -> None:
        """Take these keywords; a syntax error where there is something else."""
        for keyword in keywords:
            if not self.take(keyword):
                raise self.unexpected()

    def enclosed(self) -> tuple[int, int]:
        """Take a pair of parentheses and all in it; where its inside starts and ends, in characters."""
        self.expect("(")
        start, depth = self.tokens[self.at - 1].end, 1
        while True:
            token = self.next()
            depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
            if not depth:
                return start, token.start

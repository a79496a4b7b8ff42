"""Reading a query: recursive descent over tokens, with limits on length, depth and size.

    search   := [any] ["order" "by" key {"," key}]
    any      := all {"or" all}
    all      := one {["and"] one}
    one      := "not" one | "(" any ")" | field op value | field ["not"] "in" "(" value {"," value} ")"
              | field "exists" | word
    key      := field ["asc" | "desc"]

Keywords are understood in any case. A word with no operator after it is searched for as text, and so is
quoted text. A field such as ``tags.team`` is no word: alone it is refused.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, NoReturn

from modelyard.domain.query_expr import (
    And,
    Compare,
    Exists,
    Expr,
    Field,
    In,
    Not,
    Or,
    Order,
    Search,
    Text,
    Value,
)
from modelyard.domain.query_fields import (
    FIELDS,
    field_problem,
    operator_problem,
    order_problem,
    value_problem,
)
from modelyard.domain.query_lex import Token, fail, split_field, tokens, unquote
from modelyard.domain.text import shown
from modelyard.domain.times import is_span, read_span, read_time

DEPTH: Final = 50
"""Deepest nesting of brackets and ``not``, far below what Python's stack bears."""

NODES: Final = 500
"""Most conditions, connectives, listed values and sort keys of one query."""

_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_INTEGER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_TRUTH: Final = {"true": True, "false": False}


def parse(text: str, *, now: datetime | None = None) -> Search:
    """Read a query.

    Args:
        text: For example ``stage = production and metrics.accuracy >= 0.9 order by created desc``. Empty: everything.
        now: What ``-7d`` and other relative times count back from (aware); without it they are refused.

    Raises:
        InvalidQuery: Not in the grammar, an unknown field, unlike types, or over a limit. ``position`` is the
        index of
            the first character at fault and the message marks it with a caret.
    """
    return _Parser(text, now).search()


class _Parser:
    def __init__(self, text: str, now: datetime | None):
        self._tokens = tokens(text)
        self._text = text
        self._now = now
        self._index = 0
        self._depth = 0
        self._nodes = 0

    # --- moving over the tokens

    @property
    def _next(self) -> Token:
        return self._tokens[self._index]

    def _peek(self, distance: int) -> Token:
        return self._tokens[min(self._index + distance, len(self._tokens) - 1)]

    def _take(self) -> Token:
        token = self._next
        self._index += 1
        return token

    def _fail(self, token: Token, problem: str) -> NoReturn:
        fail(self._text, token.position, problem)

    def _expected(self, what: str) -> NoReturn:
        found = "the end" if self._next.kind == "end" else shown(self._next.text)
        self._fail(self._next, f"expected {what}, found {found}")

    def _expect_mark(self, mark: str) -> None:
        if self._next.kind != "mark" or self._next.text != mark:
            self._expected(f"'{mark}'")
        self._index += 1

    def _comma(self) -> bool:
        if self._next.kind == "mark" and self._next.text == ",":
            self._index += 1
            return True
        return False

    def _count(self, token: Token) -> None:
        self._nodes += 1
        if self._nodes > NODES:
            self._fail(token, f"more than {NODES} conditions; ask for less at once")

    def _deeper(self, token: Token) -> None:
        self._depth += 1
        if self._depth > DEPTH:
            self._fail(token, f"brackets or 'not' more than {DEPTH} deep")

    # --- the grammar, top down

    def search(self) -> Search:
        where = self._any() if self._operand_follows() else None
        order = self._order() if self._order_follows() else ()
        if self._next.kind != "end":
            self._expected("a condition, 'and', 'or' or 'order by'")
        return Search(where, order)

    def _order_follows(self) -> bool:
        return self._next.is_word("order") and self._peek(1).is_word("by")

    def _operand_follows(self) -> bool:
        token = self._next
        if token.kind == "word":
            return not token.is_word("and", "or") and not self._order_follows()
        return token.kind == "quoted" or (token.kind == "mark" and token.text == "(")

    def _any(self) -> Expr:
        start = self._next
        items = [self._all()]
        while self._next.is_word("or"):
            self._index += 1
            items.append(self._all())
        if len(items) == 1:
            return items[0]
        self._count(start)
        return Or(tuple(items))

    def _all(self) -> Expr:
        start = self._next
        items = [self._one()]
        while self._next.is_word("and") or self._operand_follows():
            if self._next.is_word("and"):
                self._index += 1
            items.append(self._one())
        if len(items) == 1:
            return items[0]
        self._count(start)
        return And(tuple(items))

    def _one(self) -> Expr:
        if not self._operand_follows():
            self._expected("a condition")
        token = self._take()
        self._count(token)
        if token.is_word("not"):
            return Not(self._nested(token))
        if token.kind == "mark":
            return self._bracketed(token)
        if token.kind == "quoted":
            return self._quoted(token)
        return self._condition(token)

    def _nested(self, token: Token) -> Expr:
        self._deeper(token)
        item = self._one()
        self._depth -= 1
        return item

    def _bracketed(self, token: Token) -> Expr:
        self._deeper(token)
        item = self._any()
        self._expect_mark(")")
        self._depth -= 1
        return item

    def _quoted(self, token: Token) -> Expr:
        if self._next.kind == "op":
            self._fail(token, "expected a field before the operator; odd names go in `back-quotes`")
        return self._words(token, unquote(self._text, token))

    def _words(self, token: Token, said: str) -> Expr:
        if not said:
            self._fail(token, "expected something to search for, found empty quotes")
        return Text(said)

    def _condition(self, token: Token) -> Expr:
        if self._next.kind == "op":
            return self._comparison(token)
        if self._next.is_word("exists"):
            self._index += 1
            return Exists(self._field(token))
        if self._list_follows(token, 0):
            self._index += 1
            return self._in(token)
        if self._next.is_word("not") and self._list_follows(token, 1):
            self._index += 2
            self._count(token)
            return Not(self._in(token))
        self._check_is_no_field(token)
        return self._words(token, token.text.replace("`", ""))

    def _check_is_no_field(self, token: Token) -> None:
        """``tags.team`` alone reads like a question about the tag; as a word to search for it would find nothing."""
        root, dot, name = token.text.partition(".")
        if dot and name and root in FIELDS and FIELDS[root].parts != "none":
            self._fail(
                token,
                f"a field without an operator; did you mean {shown(f'{token.text} exists')}? "
                "Quote it to search for the text",
            )

    def _list_follows(self, token: Token, distance: int) -> bool:
        """Whether ``in`` is the operator: ``trained in paris`` is three words, ``stage in production`` a
        slip.
        """
        if not self._peek(distance).is_word("in"):
            return False
        return self._peek(distance + 1).text == "(" or token.text.partition(".")[0] in FIELDS

    # --- conditions

    def _field(self, token: Token) -> Field:
        root, path = split_field(self._text, token)
        if problem := field_problem(root, path):
            self._fail(token, problem)
        if len(path) > 1 and FIELDS[root].parts == "one":
            path = (".".join(path),)
        return Field(root, path)

    def _comparison(self, token: Token) -> Expr:
        field, op = self._field(token), self._take()
        if problem := operator_problem(field, op.text):
            self._fail(op, problem)
        return Compare(field, op.text, self._value(field, op.text))

    def _in(self, token: Token) -> Expr:
        field = self._field(token)
        self._expect_mark("(")
        values = [self._listed(field)]
        while self._comma():
            values.append(self._listed(field))
        self._expect_mark(")")
        return In(field, tuple(values))

    def _listed(self, field: Field) -> Value:
        self._count(self._next)
        return self._value(field, "=")

    def _order(self) -> tuple[Order, ...]:
        self._index += 2
        keys = [self._key()]
        while self._comma():
            keys.append(self._key())
        return tuple(keys)

    def _key(self) -> Order:
        if self._next.kind != "word":
            self._expected("a field to order by")
        token = self._take()
        self._count(token)
        field = self._field(token)
        if problem := order_problem(field):
            self._fail(token, problem)
        if self._next.is_word("asc", "desc"):
            return Order(field, self._take().is_word("desc"))
        return Order(field)

    # --- values

    def _value(self, field: Field, op: str) -> Value:
        if self._next.kind not in ("word", "quoted"):
            self._expected("a value")
        token = self._take()
        value = self._literal(field, token)
        if problem := value_problem(field, op, value):
            self._fail(token, problem)
        return value

    def _literal(self, field: Field, token: Token) -> Value:
        quoted = token.kind == "quoted"
        said = unquote(self._text, token) if quoted else self._bare(token)
        match FIELDS[field.root].kind:
            case "time":
                return self._time(token, said)
            case "choice":
                return said.lower()
            case "label":
                return said
        return said if quoted else self._typed(token, said)

    def _bare(self, token: Token) -> str:
        if "`" in token.text:
            self._fail(token, "expected a value, found back-quotes; values go in 'quotes'")
        return token.text

    def _typed(self, token: Token, word: str) -> Value:
        """A word without quotes is a truth value, a number, or else text."""
        if word.lower() in _TRUTH:
            return _TRUTH[word.lower()]
        if word.lower() in ("null", "none"):
            self._fail(
                token, "there is no null to compare with; ask 'exists' or 'not ... exists', or quote the word"
            )
        if _INTEGER.fullmatch(word):
            # int() refuses thousands of digits; any number that long is out of range however it ends
            return int(word) if len(word) < 1000 else 10**1000
        return float(word) if _NUMBER.fullmatch(word) else word

    def _time(self, token: Token, said: str) -> datetime:
        if is_span(said) and self._now is None:
            self._fail(token, "a time relative to now is not possible here; write a date")
        moment = read_time(said) or (self._now and read_span(said, self._now))
        if moment is None:
            self._fail(
                token, f"expected a time such as 2026-03-01, 2026-03-01T12:00Z or -7d, found {shown(said)}"
            )
        return moment

"""Strategies that write YAML in all its styles."""

from __future__ import annotations

from hypothesis import strategies as st


def _words(text: str) -> list[str]:
    return text.split()


PLAIN = _words(
    """
    true false yes no on off Yes NO null ~ 1 0 -3 +4 017 0x1F 0b101 1_000 1:30 1.5 .5 1e5 1e-5 1.0e-5 1.e+3 .inf
    -.INF .nan 2001-01-01 12e03 fp8 bf16 E4M3 a/b path/to/x http://x/y a-b x=y naïve 日本 😀 v1.2.3 08 0o17 y n
    """
)
INDENT = "  "

plain = st.sampled_from(PLAIN)
words = st.lists(plain, min_size=1, max_size=3).map(" ".join)
single = st.text("ab '\"#:{}[],&*!|>%@-?\\é😀", max_size=8).map(lambda text: "'" + text.replace("'", "''") + "'")
double = st.text("ab '#:{}[],&*!|>%@-?é😀", max_size=8).map(lambda text: '"' + text + '\\t\\u00e9"')
scalars = st.one_of(plain, plain, words, single, double, st.just(""))
keys = st.one_of(plain, st.sampled_from("abcdefgh"), single, double)
comments = st.sampled_from(["", "", "", "  # comment", " # 'it'"])


@st.composite
def flow(draw: st.DrawFn, depth: int = 2) -> str:
    """A flow collection, or a scalar that can stand in one."""
    if depth == 0 or draw(st.booleans()):
        return draw(st.one_of(plain, single, double))
    if draw(st.booleans()):
        return "[" + ", ".join(draw(st.lists(flow(depth - 1), max_size=3))) + "]"
    pairs = draw(st.lists(st.tuples(keys, flow(depth - 1)), max_size=3))
    return "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"


@st.composite
def literal(draw: st.DrawFn, indent: str) -> str:
    """A literal or folded scalar, from its header on."""
    header = draw(st.sampled_from(["|", "|-", "|+", ">", ">-", ">+"]))
    lines = draw(st.lists(st.sampled_from(["a", "b c", "", "# no comment", "  more", "x: y"]), min_size=1, max_size=4))
    body = "".join(f"{indent}{INDENT}{line}\n" if line else "\n" for line in ["first", *lines])
    return f"{header}\n{body}".removesuffix("\n")


@st.composite
def block(draw: st.DrawFn, indent: str = "", depth: int = 3) -> str:
    """A block map or list, each line with its line break."""
    is_map = draw(st.booleans())
    names = draw(st.lists(keys, min_size=1, max_size=4))
    return "".join(
        f"{indent}{f'{name}:' if is_map else '-'}{draw(entry(indent, depth))}{draw(st.sampled_from(['', '', chr(10)]))}"
        for name in names
    )


@st.composite
def entry(draw: st.DrawFn, indent: str, depth: int) -> str:
    """What stands after a key's colon or a list's dash, up to and with the line break."""
    choice = draw(st.integers(0, 6 if depth else 4))
    if choice == 3:
        return f" {draw(flow())}{draw(comments)}\n"
    if choice == 4:
        return f" {draw(literal(indent))}\n"
    if choice > 4:
        return f"{draw(comments)}\n{draw(block(indent + INDENT, depth - 1))}"
    value = draw(scalars)
    return f" {value}{draw(comments)}\n" if value else f"{draw(comments)}\n"


@st.composite
def anchored(draw: st.DrawFn) -> str:
    """A map with anchors, aliases and merge keys."""
    base = draw(block(INDENT, 1))
    over = draw(st.lists(st.sampled_from(["a: 1", "b: 2", "c: *s"]), max_size=2))
    merge = draw(st.sampled_from(["<<: *base", "<<: [*base, *other]", "copy: *base", "'<<': *base"]))
    lines = "".join(f"  {line}\n" for line in [merge, *over])
    return f"s: &s {draw(plain)}\nbase: &base\n{base}other: &other {{a: o, z: [*s]}}\nuse:\n{lines}"


breaks = st.sampled_from(["\n", "\n", "\r\n", "\r"])
documents = st.tuples(st.one_of(block(), block(), flow(), anchored()), breaks).map(
    lambda pair: pair[0].replace("\n", pair[1])
)

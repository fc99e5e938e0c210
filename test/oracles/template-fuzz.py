"""Random templates with what jinja2 makes of them, a JSON object a line: python template-fuzz.py SEED COUNT > cases.jsonl

`node test/oracles/template-fuzz.mjs cases.jsonl` compares. Kept by hand, not run by `npm test`.
"""
import copy
import json
import random
import re
import sys
import warnings

from sandbox import render

warnings.simplefilter("ignore")
pick = random.choice

DATA = {
    "messages": [
        {"role": "system", "content": "Be  brief.\n\nAlways."},
        {"role": "user", "content": "Héllo <b>\"wörld\"</b> & 'you' 😀", "n": 3},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"function": {"name": "add", "arguments": {"a": 1, "b": [2.5, True, None, "x"]}}}],
        },
        {"role": "tool", "content": [{"type": "text", "text": "42"}, {"type": "image"}], "items": "own", "get": 1},
    ],
    "add_generation_prompt": True,
    "words": ["beta", "Alpha", "gamma", "alpha", "", "Ünï"],
    "numbers": [3, -1, 2.5, 0, 10, -7, 1e16, 0.1],
    "table": {"b": 1, "a": [1, 2], "C": None, "items": {"x": "y"}},
    "empty": [],
    "text": "The quick-brown fox,\n  jumps\tover  the (lazy) dog's back.\n",
    "deep": [{"k": {"v": [1, {"w": "z"}]}, "n": 2}, {"k": {"v": [5]}, "n": 1}, {"n": 3}],
    "flag": False,
}
NAMES = [*DATA, "missing", "tools", "bos_token", "x", "y"]
TEXTS = ["''", "'a'", "'b'", "'A b'", "' x '", "'1'", "'-7'", "'3.5'", "'0x1f'", "'é😀'", "'<&>'", "'a,b,,c'", "'%s'", "'\\n'",
         "\"it's\"", "'a\\nb\\r\\nc'", "'\\u00df'", "'12_000'", "'role'", "'content'", "'n'", "'k.v.0'", "'upper'", "'none'"]
NUMBERS = ["0", "1", "2", "-1", "3", "7", "10", "-7", "2.5", "0.1", "1e16", "1e-5", "12345678901234567890", "-2.5", "100"]
ATTRS = ["role", "content", "n", "k", "v", "items", "get", "keys", "tool_calls", "function", "name", "upper", "a", "b", "missing",
         "append", "__class__", "count", "index", "text"]
TESTS0 = ["defined", "undefined", "none", "boolean", "true", "false", "integer", "float", "number", "string", "mapping", "sequence",
          "iterable", "callable", "lower", "upper", "escaped", "odd", "even"]
TESTS1 = ["divisibleby", "sameas", "in", "eq", "ne", "lt", "le", "gt", "ge", "equalto", "=="]
FILTERS = [
    "abs", "attr({t})", "batch(2)|list", "batch(3, {a})|list", "capitalize", "center({i})", "count", "d({a})", "default({a})",
    "default({a}, true)", "dictsort", "dictsort(by='value')", "dictsort(true, reverse=true)", "e", "escape", "first", "float", "float({a})",
    "forceescape", "format({a})", "groupby('n')", "groupby('role', default='?')|list", "indent", "indent(2, true)", "indent({i}, first={a}, blank=true)",
    "int", "int({a})", "int(0, 16)", "items|list", "join", "join({t})", "join(', ', attribute='role')", "last", "length", "list", "lower",
    "map({t})|list", "map(attribute='role')|list", "map(attribute='k.v.0', default={a})|list", "map('upper')|list", "map('length')|list", "max", "min",
    "max(attribute='n')", "reject({t})|list", "reject('none')|list", "rejectattr('n')|list", "rejectattr('role', 'equalto', 'user')|list",
    "replace({t}, {t})", "replace({t}, {t}, 1)", "reverse", "reverse|list", "round", "round(1)", "round({i}, 'floor')", "round(1, 'ceil')", "safe",
    "select|list", "select('string')|list", "select('odd')|list", "selectattr('role')|list", "selectattr('role', 'in', ['user', 'tool'])|list",
    "selectattr('k', 'defined')|list", "slice(2)|list", "slice(3, {a})|list", "sort", "sort(reverse=true)", "sort(case_sensitive=true)",
    "sort(attribute='n')", "sort(attribute='role,content')", "string", "striptags", "sum", "sum(start={a})", "sum(attribute='n')", "title", "tojson", "tojson(indent=2)",
    "tojson(ensure_ascii=true)", "tojson(sort_keys=true)", "tojson(separators=(',', ':'))", "trim", "trim({t})", "truncate(9)",
    "truncate(12, true)", "truncate(8, false, '..', 0)", "unique|list", "unique(true)|list", "upper", "urlencode", "wordcount", "xmlattr",
    "filesizeformat", "wordwrap(12)", "pprint",
]
METHODS = [
    "upper()", "lower()", "strip()", "strip({t})", "lstrip({t})", "rstrip()", "split()", "split({t})", "split(',', 1)", "rsplit({t}, 1)", "rsplit(None, 1)", "split(none, 1)",
    "splitlines()", "splitlines(true)", "startswith({t})", "endswith(('.', '\\n'))", "startswith(({t}, {t}))", "find({t})", "rfind({t})", "index({t})", "count({t})",
    "replace({t}, {t})", "replace({t}, {t}, 1)", "join({e})", "title()", "capitalize()", "swapcase()", "center({i})", "ljust({i}, '*')", "rjust({i})", "zfill({i})",
    "partition({t})", "rpartition({t})", "isdigit()", "isalpha()", "isalnum()", "isspace()", "isupper()", "islower()", "istitle()", "isnumeric()", "isdecimal()",
    "removeprefix({t})", "removesuffix({t})", "format({e}, {e})", "format(a={e})", "expandtabs(4)", "casefold()", "isidentifier()", "isprintable()", "isascii()",
    "get({t})", "get({t}, {e})", "items()", "keys()", "values()", "items()|list", "keys()|list", "values()|list", "copy()", "index({e})", "count({e})",
    "append({e})", "update({e})", "pop()", "bit_length()", "is_integer()",
]
FORMATS = ["'%s|%r'", "'%d'", "'%5.2f'", "'%-6s|'", "'%05d'", "'%x'", "'%+d'", "'%e'", "'%g'", "'%(a)s'", "'%c'", "'%%'", "'%s'", "'%.3s'", "'%i'", "'%#x'", "'%G'", "'%08.3f'"]
BRACES = ["'{}'", "'{} {}'", "'{0!r}'", "'{:>8}'", "'{:08.3f}'", "'{:,}'", "'{:x}'", "'{:<5}|'", "'{:^7}|'", "'{:+}'", "'{:.2e}'", "'{:.3}'", "'{:%}'", "'{a}'", "'{0[0]}'", "'{0.role}'",
          "'{{}}'", "'{:d}'", "'{:g}'", "'{:b}'", "'{!s:>4}'", "'{:*^9}'", "'{:_}'", "'{:.1f}'", "'{:#x}'"]


def fill(pattern, depth):
    out = pattern
    for mark, make in (("{t}", lambda: pick(TEXTS)), ("{i}", lambda: pick(["0", "1", "3", "8", "20", "-1"])), ("{a}", lambda: atom()), ("{e}", lambda: expression(depth - 1))):
        while mark in out:
            out = out.replace(mark, make(), 1)
    return out


def atom():
    kind = random.random()
    if kind < 0.35:
        return pick(NAMES)
    if kind < 0.6:
        return pick(TEXTS)
    if kind < 0.85:
        return pick(NUMBERS)
    return pick(["true", "false", "none", "[]", "{}", "()", "[1, 'a']", "(1, 'b')", "{'a': 1}", "range(4)", "True", "None"])


def expression(depth):
    if depth <= 0:
        return atom()
    sub = lambda: expression(depth - 1)
    kind = random.randrange(20)
    if kind == 0:
        return f"({sub()} {pick(['+', '-', '*', '/', '//', '%', '**', '~', '+', '~'])} {sub()})"
    if kind == 1:
        return f"({sub()} {pick(['==', '!=', '<', '<=', '>', '>=', 'in', 'not in'])} {sub()})"
    if kind == 2:
        return f"({sub()} {pick(['and', 'or'])} {sub()})"
    if kind == 3:
        return f"(not {sub()})"
    if kind == 4:
        return f"({sub()} if {sub()}{pick([' else ' + sub(), ''])})"
    if kind == 5:
        return f"{sub()}.{pick(ATTRS)}"
    if kind == 6:
        return f"{sub()}[{sub()}]"
    if kind == 7:
        bound = lambda: pick(["", "1", "-1", "2", "0", "-3", "10"])
        return f"{pick(NAMES)}[{bound()}:{bound()}{pick(['', ':' + pick(['', '2', '-1', '-2'])])}]"
    if kind in (8, 9, 10, 11):
        return f"({sub()}|{fill(pick(FILTERS), depth)})"
    if kind in (12, 13, 14):
        return f"{sub()}.{fill(pick(METHODS), depth)}"
    if kind == 15:
        test = pick([pick(TESTS0), f"{pick(TESTS1)}({sub()})"])
        return f"({sub()} is {pick(['', 'not '])}{test})"
    if kind == 16:
        return pick([f"[{sub()}, {sub()}]", f"{{{pick(TEXTS)}: {sub()}, {atom()}: {sub()}}}", f"({sub()}, {sub()})", f"({sub()},)", f"dict(a={sub()})"])
    if kind == 17:
        return f"({pick(FORMATS)} % {pick([sub(), f'({sub()}, {sub()})', f'({sub()},)'])})"
    if kind == 18:
        return f"{pick(BRACES)}.format({pick([sub(), f'{sub()}, {sub()}', f'a={sub()}'])})"
    return f"{pick(['-', '+'])}{sub()}"


def gap():
    return pick(["", "", " ", "\n", "\n  ", "  \n", "t", " t \n", "\t", "\r\n"])


def tag(inner):
    return "{%" + pick(["", "-", "+", ""]) + " " + inner + " " + pick(["", "-", "+", ""]) + "%}"


def shown(depth):
    return "{{" + pick(["", "-", ""]) + " " + expression(depth) + " " + pick(["", "-"]) + "}}"


def statement(depth):
    if depth <= 0:
        return shown(1)
    body = lambda: block(depth - 1)
    kind = random.randrange(16)
    if kind == 0:
        other = tag("elif " + expression(1)) + body() if random.random() < 0.3 else ""
        final = tag("else") + body() if random.random() < 0.5 else ""
        return tag("if " + expression(2)) + body() + other + final + tag("endif")
    if kind in (1, 2):
        head = pick(["x", "y", "x, y"]) + " in " + pick([expression(1), "messages", "table.items()", "words", "numbers", "range(3)", "deep", "'ab'"])
        head += pick(["", "", f" if {pick(['x', 'y'])}", " recursive"])
        inside = pick(["", "{{ loop.index }}", "{{ loop.last }}", "{{ loop.cycle('p', 'q') }}", "{{ loop.previtem }}", "{{ loop.nextitem is defined }}",
                       "{{ loop.changed(x) }}", "{{ loop.revindex0 }}/{{ loop.length }}", "{% if loop.index == 2 %}{% break %}{% endif %}", "{% if x %}{% continue %}{% endif %}"])
        final = tag("else") + body() if random.random() < 0.3 else ""
        return tag("for " + head) + body() + inside + body() + final + tag("endfor")
    if kind in (3, 4):
        return tag(f"set {pick(['x', 'y', 'x, y', 'words', 'ns.v'])} = {expression(2)}")
    if kind == 5:
        return tag(f"set {pick(['x', 'y'])}{pick(['', '|upper', '|trim|length'])}") + body() + tag("endset")
    if kind == 6:
        return tag("set ns = namespace(v=1)") + tag(f"set ns.v = {expression(1)}") + "{{ ns.v }}" + gap()
    if kind == 7:
        return tag(f"macro m({pick(['', 'a', 'a, b=2', 'x=y', 'a, b=a'])})") + body() + pick(["", "{{ a }}{{ b }}", "{{ varargs }}{{ kwargs }}", "{{ caller() if caller }}"]) + tag("endmacro")
    if kind == 8:
        return "{{ m(" + pick(["", expression(1), f"{expression(1)}, {expression(1)}", f"b={expression(1)}", "*[1, 2]", "**{'a': 3}"]) + ") }}"
    if kind == 9:
        return tag(f"call {pick(['', '(x)'])} m({pick(['', '1'])})") + body() + tag("endcall")
    if kind == 10:
        return tag(f"filter {pick(['upper', 'trim', 'indent(2)', 'replace(' + pick(TEXTS) + ', ' + pick(TEXTS) + ')', 'title|length'])}") + body() + tag("endfilter")
    if kind == 11:
        return tag(f"with x = {expression(1)}, z = x") + body() + "{{ z }}" + tag("endwith")
    if kind == 12:
        return "{#" + pick(["", "-"]) + " c " + pick(["", "-", "+"]) + "#}"
    if kind == 13:
        return tag("raw") + pick(["{{ x }}", "{% if %}", "  \n a"]) + tag("endraw")
    if kind == 14:
        return tag("generation") + body() + tag("endgeneration")
    return shown(2)


def block(depth):
    return "".join(gap() + statement(depth) for _ in range(random.randrange(1, 4))) + gap()


def main(seed, count):
    random.seed(seed)
    for _ in range(count):
        template = block(2) if random.random() < 0.5 else "{{ " + expression(random.randrange(1, 4)) + " }}"
        try:
            text = render(template, **copy.deepcopy(DATA))
        except RecursionError:
            continue
        if text is not None and (re.search(r"0x[0-9a-f]{9,}|object at|bound method|<class", text) or len(text) > 20000):
            continue
        print(json.dumps({"template": template, "expected": text}))


print(json.dumps({"data": DATA}))
main(int(sys.argv[1]), int(sys.argv[2]))

"""The environment in which transformers renders chat templates, with a clock that stands still. Needs jinja2 3.1.6."""
import json
from datetime import datetime

import jinja2
import jinja2.ext
import jinja2.sandbox

NOW = datetime(2026, 3, 5, 7, 8, 9)


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_text"), [], [], body).set_lineno(line)

    @jinja2.pass_eval_context
    def _text(self, context, caller):
        return caller()


class DictFunction:
    def __call__(self, *args, **kwargs):
        return dict(*args, **kwargs)

    def fromkeys(self, *args, **kwargs):
        return dict.fromkeys(*args, **kwargs)


class Namespace(jinja2.utils.Namespace):
    def __init__(*args, **kwargs):
        self, args = args[0], args[1:]
        fields = dict(*args, **kwargs)
        for name in fields:
            Namespace.check(name)
        jinja2.utils.Namespace.__init__(self, fields)

    def __setitem__(self, name, value):
        Namespace.check(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)

    @staticmethod
    def check(name):
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(name)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals.update(
        raise_exception=raise_exception,
        strftime_now=lambda form: NOW.strftime(form),
        dict=DictFunction(),
        namespace=Namespace,
    )
    return env


def render(template, **variables):
    """The text, or None where jinja2 refuses."""
    given = {"tools": None, "documents": None, "bos_token": "<s>", "eos_token": "</s>", **variables}
    try:
        return environment().from_string(template).render(**given)
    except RecursionError:
        raise
    except Exception:
        return None
